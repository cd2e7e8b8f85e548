"""The enterprise's side of a client: its certificate authority, and enrolling and revoking its devices with it."""
