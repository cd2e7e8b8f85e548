"""The desk's doors: HTTPS for authorities and operators. Nothing here decides."""
