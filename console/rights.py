"""Who may see and do what. One table; the page, the routes and the reference are made from it.

Nobody but the demonstrator sees what people wrote, and there is a demonstrator only where the people are the demonstration's.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """Whom a sign-in link is for."""

    OPERATOR = "operator"
    AUDITOR = "auditor"
    DEMONSTRATOR = "demonstrator"


class Right(StrEnum):
    """What a role may see or do. The values are sentences for people: they are shown."""

    SEE_CLIENTS = "see what the demonstration's people write"
    SEE_RELAY = "see what the relay keeps of each message"
    SEE_AUTHORITY = "see what an authority of the demonstration gets"
    SEE_CASES = "see the cases at the lawful desk"
    SEE_EVIDENCE = "see proofs, public logs, statistics and scenarios"
    SEE_SERVICE = "see how the service is doing"
    DIRECT = "direct the demonstration's people"
    DEMAND = "file demands as an authority of the demonstration"
    DECIDE = "approve and refuse at the lawful desk"
    PROVE = "have the proof carried out, and attacks"
    INVITE = "make sign-in links for others"


_SHARED: Final = frozenset({Right.SEE_EVIDENCE})

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.OPERATOR: _SHARED
    | {Right.SEE_RELAY, Right.SEE_CASES, Right.SEE_SERVICE, Right.DECIDE, Right.PROVE, Right.INVITE},
    Role.AUDITOR: _SHARED,
    Role.DEMONSTRATOR: frozenset(Right),
}

#: Whom somebody may invite: nobody who may more than they do.
INVITES: Final[Mapping[Role, tuple[Role, ...]]] = {
    role: tuple(other for other in Role if RIGHTS[other] <= rights) if Right.INVITE in rights else ()
    for role, rights in RIGHTS.items()
}
