"""Room that is kept so that a full disk can still be emptied.

Deleting needs room, too: SQLite writes the emptied pages to the WAL before they go into the database. So a file of zeros is
kept beside the database; when the disk is full it is given up for the deletions, and taken again when there is room.
"""

import contextlib
import os
from pathlib import Path

# The WAL at its largest (`sqlite.MAX_WAL_BYTES` and one batch), so that it can always be brought into the database.
RESERVE_BYTES = 16 * 1_048_576


class Reserve:
    """The file, which may or may not be there."""

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size
        self.held = False

    def take(self) -> bool:
        """Hold the room, if there is any; whether it is held now."""
        if self.held or not self._size:
            return True
        descriptor = -1
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, self._size)
            else:  # macOS
                os.pwrite(descriptor, bytes(self._size), 0)
            self.held = True
        except OSError:
            self.give_up()
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return self.held

    def give_up(self) -> None:
        """Let the room go."""
        self.held = False
        with contextlib.suppress(OSError):
            self._path.unlink()
