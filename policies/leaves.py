"""The entries of the log `lawful-access`: what the public learns of requests, and when.

Each step of a case enters the log in the transaction in which it enters the case file, as a **commitment**: 32 bytes that say
nothing to anybody who does not have their salt. Steps that may be told of are then **told**: another entry names the commitment
by its index, and has the fields that a transparency report may show. A step about which the law demands silence is told of when
the silence ends. Until then nobody can count it: among the commitments there are decoys.

Who has the salts (the authority, with its package: `Receipt`) can open the commitments of its own case, and see that the log
had the request and the decision before the package, and exactly that package.

Closed like the records: numbers, digests, words of lists, no place for a sentence.
"""

import json
from datetime import date
from hashlib import sha256
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter

from blindrelay.policies.package import DemandId, Digest, InstrumentId
from blindrelay.policies.request import Jurisdiction
from blindrelay.policies.vocabulary import DataClass, Ground, Outcome
from blindrelay.protocol.rpc import MAX_CHECKPOINT, Proof
from blindrelay.protocol.statements import Key32, Wire
from blindrelay.protocol.transparency import leaf
from blindrelay.protocol.transparency.merkle import leaf_hash

#: What the log is called: the last part of its origin, and of its address.
NAME: Final = "lawful-access"

Index = Annotated[int, Field(ge=0, lt=2**53)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
#: Names a case in the log: no case id, and nothing that leads to one.
CaseLabel = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
#: What was asked for: a data class, or what is none.
What = DataClass | Literal["CAPABILITY", "SERVICE"]

_LEAF_PURPOSE: Final = b"blindrelay/lawful-access-leaf/1\0"
_CASE_PURPOSE: Final = b"blindrelay/lawful-access-case/1\0"


class Commitment(leaf.Leaf):
    """Something has happened, or nothing has."""

    kind: Literal["commitment"] = "commitment"
    commitment: Digest


class Accounts(leaf.Leaf):
    """How many accounts, as exactly as it is given: from `at_least` up to and with `at_most`."""

    at_least: Count
    at_most: Count


class _Told(leaf.Leaf):
    """`index`: of the commitment that this tells of."""

    index: Index
    case: CaseLabel


class RequestTold(_Told):
    """A request has been received; `accounts` are those that it names."""

    kind: Literal["request"] = "request"
    received: date
    jurisdiction: Jurisdiction
    instrument: InstrumentId
    emergency: bool
    accounts: Accounts


class Asked(leaf.Leaf):
    """What came of one thing that was asked for."""

    what: What
    outcome: Outcome


class DemandTold(leaf.Leaf):
    """What came of one demand."""

    outcome: Outcome
    ground: Ground | None
    asked: tuple[Asked, ...]


class DecisionTold(_Told):
    """All demands of the case, as they are decided from now on."""

    kind: Literal["decision"] = "decision"
    demands: tuple[DemandTold, ...]


class PackageTold(_Told):
    """A package has been made; nothing has left yet."""

    kind: Literal["package"] = "package"


class ReleaseTold(_Told):
    """A package has been handed over; `accounts` are all of which records have left in this case by now."""

    kind: Literal["release"] = "release"
    accounts: Accounts


class StreamTold(_Told):
    """A real-time order has begun (`ended` false) or ended."""

    kind: Literal["stream"] = "stream"
    ended: bool
    accounts: Accounts


class NoticeTold(_Told):
    """Users have been told."""

    kind: Literal["notice"] = "notice"
    accounts: Accounts


class WithdrawalTold(_Told):
    """The authority has taken its request back, so many seconds after it was received."""

    kind: Literal["withdrawal"] = "withdrawal"
    demands: tuple[DemandTold, ...]
    seconds: Count


class SettledTold(_Told):
    """Every demand has its end, so many seconds after the request was received."""

    kind: Literal["settled"] = "settled"
    seconds: Count


Told = RequestTold | DecisionTold | PackageTold | ReleaseTold | StreamTold | NoticeTold | WithdrawalTold | SettledTold
Leaf = Commitment | Told
_LEAF: Final[TypeAdapter[Leaf]] = TypeAdapter(Annotated[Leaf, Field(discriminator="kind")])


def parse(data: bytes) -> Leaf:
    """Raises `Malformed` for anything that is not an entry in its one form."""
    return leaf.parse(_LEAF, data, NAME)


LoggedStep = Literal["request", "decision", "package", "release", "stream", "notice", "withdrawal", "settled"]


class Opening(Wire):
    """What a commitment says, to who has its salt.

    `row` is SHA-256 of the row of the case file. `document`: SHA-256 of the signed request, or of the sealed package.
    """

    step: LoggedStep
    case: UUID
    sequence: Annotated[int, Field(ge=1, lt=2**53)]
    row: Digest
    demand: DemandId | None = None
    document: Digest | None = None

    def commitment(self, salt: bytes) -> Commitment:
        """The entry of the log. `salt` has 32 random bytes."""
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode("ascii")
        return Commitment(commitment=sha256(_LEAF_PURPOSE + salt + said).hexdigest())


def case_label(salt: bytes) -> str:
    """What a case is called where it is told of; `salt` is that of its request."""
    return sha256(_CASE_PURPOSE + salt).hexdigest()[:32]


class OpenedEntry(Wire):
    """A commitment of the log, opened, and the proof that it is there."""

    index: Index
    salt: Key32
    opening: Opening
    path: Proof

    @property
    def leaf(self) -> bytes:
        """The hash of the entry."""
        return leaf_hash(self.opening.commitment(self.salt).encode())


class Receipt(Wire):
    """That the log has the steps of a case up to the making of a package. Given to the authority with the package.

    `policy`: by what the relay says that the log is to be verified (https://c2sp.org/tlog-policy); who has it from nowhere else
    keeps the first one.
    """

    policy: Annotated[str, Field(max_length=MAX_CHECKPOINT)]
    checkpoint: Annotated[bytes, Field(max_length=MAX_CHECKPOINT)]
    entries: Annotated[tuple[OpenedEntry, ...], Field(max_length=500)]
