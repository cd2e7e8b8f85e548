"""Backups of a relay on SQLite: taken while it runs, of one moment, each file with its digest; and how one is put back."""

from blindrelay.relay.backup.manifest import Manifest
from blindrelay.relay.backup.restoring import restore, verify
from blindrelay.relay.backup.taking import take
from blindrelay.relay.backup.witnesses import Ahead, seen_since

__all__ = ["Ahead", "Manifest", "restore", "seen_since", "take", "verify"]
