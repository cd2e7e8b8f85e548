"""Sign-in: a link that works once becomes a session.

Links and sessions are 32 random bytes, and are kept as SHA-256: whoever reads this process's memory dump finds no way in. Both
are gone when the console stops.
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from blindrelay.console.rights import INVITES, RIGHTS, Right, Role
from blindrelay.protocol.clock import Clock

_TOKEN_BYTES: Final = 32
#: A link that nobody has used, and a session. Seconds.
LINK_LIFETIME: Final = 12 * 3_600.0
SESSION_LIFETIME: Final = 12 * 3_600.0
# The oldest goes first: somebody who signs in without end does not fill the memory.
MAX_SESSIONS: Final = 64
MAX_LINKS: Final = 64


class NoSuchLink(Exception):
    """The link was used before, is too old, or never was one."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has signed in."""

    role: Role
    ends: float  #: on the monotonic clock

    def may(self, right: Right) -> bool:
        """Whether their role has it."""
        return right in RIGHTS[self.role]

    @property
    def invites(self) -> tuple[Role, ...]:
        """Whom they may make a link for."""
        return INVITES[self.role]


class Sessions:
    """All of them. `roles`: for whom there are links at all."""

    def __init__(self, clock: Clock, roles: tuple[Role, ...]) -> None:
        self.roles = roles
        self._now = clock.monotonic
        self._links: dict[bytes, Session] = {}
        self._sessions: dict[bytes, Session] = {}

    def link(self, role: Role) -> str:
        """A token that signs somebody in as `role`, once. Raises `ValueError` where there is no such role."""
        if role not in self.roles:
            raise ValueError(f"there is no {role} here")
        return _issue(self._links, Session(role, self._now() + LINK_LIFETIME), MAX_LINKS)

    def sign_in(self, token: str) -> tuple[str, Session]:
        """Use a link up; returns the secret of the session that begins. Raises `NoSuchLink`."""
        link = self._links.pop(_digest(token), None)
        if link is None or link.ends <= self._now():
            raise NoSuchLink
        session = Session(link.role, self._now() + SESSION_LIFETIME)
        return _issue(self._sessions, session, MAX_SESSIONS), session

    def find(self, secret: str) -> Session | None:
        """Whose secret it is, if it is anybody's who has not signed out."""
        session = self._sessions.get(_digest(secret))
        return session if session is not None and session.ends > self._now() else None

    def sign_out(self, secret: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(_digest(secret), None)


def _issue(kept: dict[bytes, Session], session: Session, at_most: int) -> str:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    while len(kept) >= at_most:
        del kept[next(iter(kept))]
    kept[_digest(token)] = session
    return token


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
