"""How SQLite's error codes (https://www.sqlite.org/rescode.html) are told apart. The errors: `blindrelay.relay.errors`."""

import sqlite3

from blindrelay.relay.errors import StoreError, StoreFailed, StoreFull

__all__ = ["StoreError", "StoreFailed", "StoreFull", "is_damage", "is_full"]


# A write that fails with ENOSPC is SQLITE_FULL. An fsync that fails is SQLITE_IOERR_FSYNC whatever the reason, and is not
# "full": what the kernel dropped by then, nobody knows (the fsync surprise of PostgreSQL, 2018).
_PRIMARY = 0xFF


def _code(error: BaseException) -> int:
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None)
    return code & _PRIMARY if isinstance(code, int) else 0


def is_full(error: BaseException) -> bool:
    """Whether SQLite says that the disk is full; `error` is its own or SQLAlchemy's around it."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file cannot be relied on any more: I/O error, corruption, no access."""
    return _code(error) in (
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
    )
