"""What a relay tells its users on its own account: what was disclosed about them, and where the service is suspended.

A notice is signed with the key of the relay's lawful desk, which is not that of its TLS certificate: who keeps a notice can
show it, and who has the desk's certificate can check it, years later. It names the authority and the instrument, never what is
in the records: the user gets those from the relay (`account.my_data`) as they are.
"""

from typing import Annotated, Literal

from pydantic import Field

from blindrelay.protocol.address import UserField
from blindrelay.protocol.statements import Signed, Wire

#: Epoch seconds.
Moment = Annotated[int, Field(ge=0, lt=2**53)]
Line = Annotated[str, Field(min_length=1, max_length=400)]
Country = Annotated[str, Field(pattern=r"^[a-z]{2}$")]

#: What a notice can say was disclosed: there is no word for anything else.
DisclosedClass = Literal["SUBSCRIBER", "ACCESS", "TRAFFIC"]


class DisclosureNotice(Wire):
    """Records about `user` were disclosed to an authority."""

    kind: Literal["disclosure"] = "disclosure"
    id: Line
    issued_at: Moment
    user: UserField
    classes: Annotated[tuple[DisclosedClass, ...], Field(min_length=1, max_length=3)]
    #: The records' window, from `since` up to and without `until`; None: of records that have no time.
    since: Moment | None
    until: Moment | None
    disclosed_at: Moment
    authority: Line
    jurisdiction: Country
    instrument: Line  #: as the policy pack names it: `us/d-order`
    legal_reference: Line  #: the issuer's own number


class ServiceNotice(Wire):
    """The service in a jurisdiction is going to be suspended, is suspended, or is not any more."""

    kind: Literal["service"] = "service"
    id: Line
    issued_at: Moment
    jurisdiction: Country
    state: Literal["running", "noticed", "suspended", "rescinded"]
    #: When an announced suspension takes effect.
    effective: Moment | None
    ordered_by: Line


Notice = DisclosureNotice | ServiceNotice


class NoticeBody(Wire):
    """What is signed."""

    notice: Annotated[Notice, Field(discriminator="kind")]


class AskNotices(Wire):
    """What is there to be told? `seen`: ids of notices that this device keeps by now, and need not be told again."""

    seen: Annotated[tuple[Line, ...], Field(max_length=64)] = ()


class NoticePage(Wire):
    """Notices that the asking device has not seen, the oldest first; more of them when these have been seen.

    `certificate` is the desk's (DER); empty when the relay has no desk. The answer is the same, byte for byte, for a user about
    whom nothing was asked and for one about whom the law still forbids to speak.
    """

    notices: Annotated[tuple[Signed, ...], Field(max_length=64)]
    certificate: Annotated[bytes, Field(max_length=4_096)] = b""


class Nudge(Wire):
    """What the relay sends, unasked and without correlation data, to a reply topic: there is something to ask for."""

    nudge: Literal["notices"] = "notices"
