"""How PostgreSQL's errors (https://www.postgresql.org/docs/current/errcodes-appendix.html) are told apart."""

import enum
from typing import Final

import psycopg
import sqlalchemy


class Kind(enum.Enum):
    """What can be done about an error."""

    AWAY = "away"  #: connect again: the server or the way to it is gone, or it does not serve us just now
    AGAIN = "again"  #: repeat: two transactions were in one another's way, and nothing was done
    FULL = "full"  #: there is no room
    OTHER = "other"  #: the statement or the database is wrong


#: What a connection or a statement may raise: psycopg's own, SQLAlchemy's around it, and that no connection became free.
FAILURES: Final = (psycopg.Error, sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError)

_AGAIN: Final = frozenset({"40001", "40P01", "55P03"})  # serialisation, deadlock, lock_timeout
_FULL: Final = frozenset({"53100", "53200"})  # disk, memory
# Connection exceptions, insufficient resources, operator intervention, system error.
_AWAY_CLASSES: Final = ("08", "53", "57", "58")
_READ_ONLY: Final = "25006"
_AWAY: Final = frozenset({_READ_ONLY, "25P03", "25P04"})  # read-only; idle in transaction, transaction too long: ended


def kind_of(error: BaseException) -> Kind:
    """What kind of error this is; `error` is one of `FAILURES`."""
    cause = getattr(error, "orig", None) or error
    if isinstance(error, sqlalchemy.exc.TimeoutError):  # others wait for the server, too
        return Kind.AWAY
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated:
        return Kind.AWAY
    if not isinstance(cause, psycopg.Error):
        return Kind.OTHER
    if cause.sqlstate is None:  # libpq's own: no connection, or none any more
        return Kind.AWAY if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) else Kind.OTHER
    return _of_state(cause.sqlstate)


def _of_state(state: str) -> Kind:
    if state in _AGAIN:
        return Kind.AGAIN
    if state in _FULL:
        return Kind.FULL
    return Kind.AWAY if state in _AWAY or state.startswith(_AWAY_CLASSES) else Kind.OTHER


def is_read_only(error: BaseException) -> bool:
    """Whether a statement wanted to write where that is not allowed: on a reading connection, or on a standby."""
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None) == _READ_ONLY


def sentence(error: BaseException) -> str:
    """The first line of what the server or libpq says. There is no password in it: libpq does not print them."""
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__
