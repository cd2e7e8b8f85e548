"""What can go wrong with the store, as errors with a sentence for people.

StoreError
 +- StoreFull      no room on the disk: nothing was written, reading and deleting still work
 +- StoreFailed    an I/O error or an unknown outcome: the store takes nothing more, the relay leaves
 +- StoreTooNew    the data directory is that of a newer version
 +- StoreUnreadable  not a database, or a damaged one, or no permission
"""

import sqlite3

from blindrelay.protocol.errors import BlindrelayError


class StoreError(BlindrelayError):
    """The root of what the store raises."""


class StoreFull(StoreError):
    """There is no room; nothing of what was asked has been written, and what is there can be read and deleted."""


class StoreFailed(StoreError):
    """Writing failed, or nobody knows whether it did. What was reported before stands; nothing more is taken."""


class StoreTooNew(StoreError):
    """The database was written by a newer version of Blindrelay."""


class StoreUnreadable(StoreError):
    """The database cannot be opened: damaged, not a database, or not ours to read."""


def is_full(error: BaseException | None) -> bool:
    """Whether SQLite said that the disk (or the quota) is full.

    A write that fails with ENOSPC is SQLITE_FULL; an fsync that fails is SQLITE_IOERR_FSYNC whatever the reason, and is not
    "full": what the kernel has dropped by then cannot be known (https://www.sqlite.org/rescode.html#full).
    """
    cause = getattr(error, "orig", error)
    return isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
