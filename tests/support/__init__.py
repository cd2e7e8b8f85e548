"""Helpers that several rooms' tests share: `from support import ...`."""
