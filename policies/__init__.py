"""What the law may ask: policies decide about metadata, never about content."""
