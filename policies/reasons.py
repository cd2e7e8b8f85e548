"""Reasons: the sentences a decision is made of, each with what it rests on."""

from collections.abc import Iterable
from typing import Final

from blindrelay.policies.cedar import Policy
from blindrelay.policies.decision import Reason
from blindrelay.policies.packs import Instrument, Pack
from blindrelay.policies.vocabulary import AuthorityKind, DataClass, Mark

OPERATOR: Final = "operator policy"
TEST: Final = "The authority has marked the request as a test: nothing is disclosed, kept or changed because of it."
_CLASSES: Final = {
    DataClass.SUBSCRIBER: "subscriber records",
    DataClass.ACCESS: "connection records",
    DataClass.TRAFFIC: "traffic records",
    DataClass.CONTENT: "content",
    DataClass.KEYS: "keys",
}


def of_policy(policy: Policy) -> Reason:
    """A policy that determined the outcome."""
    return Reason(policy.id, policy.reason, policy.source, policy.mark, policy.location)


def of_instrument(pack: Pack, instrument: Instrument, text: str) -> Reason:
    """A row of the manifest, on which a sentence about the law rests."""
    location = pack.location(instrument.id)
    return Reason(f"manifest/{instrument.id}", text, instrument.legal_basis, instrument.mark, location)


def of_engine(rule: str, text: str, source: str = OPERATOR, mark: Mark = Mark.CONFIRMED) -> Reason:
    """A rule of the engine."""
    return Reason(f"engine/{rule}", text, source, mark)


def cited(instrument: Instrument) -> str:
    """`Court order for records (us/d-order, 18 USC 2703(d))`."""
    return f"{instrument.title} ({instrument.id}, {instrument.legal_basis})"


def in_words(classes: Iterable[DataClass]) -> str:
    """`subscriber records and connection records`."""
    return listed([_CLASSES[data_class] for data_class in DataClass if data_class in set(classes)]) or "nothing"


def issuers_in_words(kinds: Iterable[AuthorityKind]) -> str:
    """`a prosecutor or a judge`."""
    return listed([_named(kind) for kind in kinds], "or")


def _named(kind: AuthorityKind) -> str:
    if kind is AuthorityKind.POLICE:
        return "the police"
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind.replace('-', ' ')}"


def listed(words: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f" {last} ".join((", ".join(words[:-1]), words[-1])) if words else ""
