"""How an authority introduces itself: the file that `blindrelay authority init` makes and `blindrelay desk register` reads.

It is a proposal. What the relay believes of it is what an operator has confirmed: jurisdiction and kind are typed again on
the command line, and nothing in a request can change them.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from blindrelay.policies.request import Document, Jurisdiction, Name
from blindrelay.policies.vocabulary import AuthorityKind

VERSION: Final = "blindrelay-authority-1"

AuthorityId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,62}$")]
#: `+1 202 555 0100`, or a desk's extension: what a person dials.
Telephone = Annotated[str, StringConstraints(pattern=r"^[+0-9][0-9 ()./-]{2,40}$")]


class AuthorityCard(Document):
    """Who an authority says it is. `certificate` is its root, PEM; `package_key` its X-Wing public key, base64."""

    version: Literal["blindrelay-authority-1"] = VERSION
    id: AuthorityId
    name: Name
    jurisdiction: Jurisdiction
    kind: AuthorityKind
    certificate: Annotated[str, StringConstraints(min_length=64, max_length=16_384)]
    #: 1,216 bytes (draft-connolly-cfrg-xwing-kem), in standard base64.
    package_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{1622}==$")]
    #: Who may ask in its name.
    officers: Annotated[tuple[Name, ...], Field(max_length=1_000)] = ()
