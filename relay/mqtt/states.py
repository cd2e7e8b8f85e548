"""Where a connection can stand, and every way from one place to another."""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class State(Enum):
    """Where a connection stands."""

    EXPECTING_CONNECT = "expecting CONNECT"
    DECIDING = "deciding"  # CONNECT is with admission; what follows it is kept unread
    CONNECTED = "connected"
    CLOSED = "closed"  # nothing is read or written any more; the shell sends what is left and closes


class Cause(Enum):
    """What moves it."""

    CONNECT = "CONNECT received"
    ADMITTED = "CONNACK 0x00 sent"
    REFUSED = "CONNACK with a refusal sent"
    LEFT = "DISCONNECT received"
    DISCONNECTED = "DISCONNECT sent"
    DROPPED = "closed without a word"


TRANSITIONS: Final[Mapping[State, Mapping[Cause, State]]] = {
    State.EXPECTING_CONNECT: {
        Cause.CONNECT: State.DECIDING,
        Cause.REFUSED: State.CLOSED,
        Cause.DROPPED: State.CLOSED,
    },
    State.DECIDING: {
        Cause.ADMITTED: State.CONNECTED,
        Cause.REFUSED: State.CLOSED,
        Cause.DROPPED: State.CLOSED,
    },
    State.CONNECTED: {
        Cause.LEFT: State.CLOSED,
        Cause.DISCONNECTED: State.CLOSED,
        Cause.DROPPED: State.CLOSED,
    },
    State.CLOSED: {},
}


class WrongState(RuntimeError):
    """A verdict that does not fit the session's state: a bug on our side, never the peer's doing."""
