"""The reference page of the packs, from the packs: `python -m blindrelay.policies.page > docs/reference/policy-packs.md`."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from blindrelay.policies import reasons
from blindrelay.policies.cedar import Policy
from blindrelay.policies.manifest import AnswerWithin, Gag, Instrument, Manifest, Preserve
from blindrelay.policies.matrix import markdown, matrix
from blindrelay.policies.packs import Pack, Policies
from blindrelay.policies.vocabulary import (
    AuthorityKind,
    Capability,
    DataClass,
    Ground,
    Mark,
    Mode,
    Scope,
    ServiceAction,
)

_HEAD: Final = """\
# Policy packs

**None of this is legal advice.** A pack is a model for tests and teaching, compiled from public sources, and says what it
leaves out. Before anybody is decided about by it, a lawyer who is admitted where it matters has to have read it.

A pack is a folder, named as its jurisdiction. `manifest.yaml` says what the *law* reaches, instrument by instrument;
the `*.cedar` files say what may be disclosed of it; `scenarios/` has its tests.
[How one is written](../how-to/write-a-jurisdiction-pack.md). `blindrelay policy lint` checks it, and nothing loads in which it
finds an error.
"""

_MARKS: Final = {
    Mark.CONFIRMED: "confirmed: the text of the statute, schema or provider itself was read",
    Mark.SECONDARY: "from a secondary source: a law firm, the press, somebody else's quotation",
    Mark.UNCONFIRMED: "general knowledge, unconfirmed: have it checked first; a decision that rests on it says so",
}


def _words(members: Iterable[StrEnum]) -> str:
    return ", ".join(f"`{member.value}`" for member in members)


_FIELDS: Final[tuple[tuple[str, type[BaseModel], Mapping[str, str]], ...]] = (
    (
        "The manifest",
        Manifest,
        {
            "jurisdiction": "two lower-case letters: the name of the folder",
            "title": "as a letter calls it",
            "as_of": "the day as of which the law is stated",
            "not_legal_advice": "the pack's own sentence that it is none",
            "simplifies": "what it leaves out, one sentence each",
            "non_disclosure": "whether the user may be told, in general",
            "processor_redirect": "the enterprise is asked first, unless the authority states that this would do harm",
            "members": "states whose authorities and tenants are this jurisdiction's, where it is a union",
            "instruments": "the rows of the law: below",
            "sources": "where facts come from, by the keys that instruments name",
        },
    ),
    (
        "An instrument",
        Instrument,
        {
            "id": "`<jurisdiction>/<name>`: what requests and policies name",
            "title": "as a letter calls it",
            "legal_basis": "the section",
            "issuers": f"who may issue it: {_words(AuthorityKind)}",
            "reach": f"what the law reaches with it, whatever the relay holds: {_words(DataClass)}",
            "modes": f"{_words(Mode)}",
            "scopes": f"about whom, in law: {_words(Scope)}",
            "prospective": "whether it reaches what has not happened yet",
            "needs_judge": "whether it takes a judge, in law",
            "max_days": "the longest term, in days",
            "answer_within": "how soon an answer is due: a duration (`P10D`), or `routine` and `emergency`",
            "voluntary": "disclosure is the provider's choice, who chooses so in an emergency alone",
            "gag": "whether the user may be told: below",
            "notification_days": "for so many days another state's authority may object before anything leaves",
            "notification_classes": "to these classes",
            "preserve": "for how long is kept what is preserved: below",
            "capabilities": f"what it may order to be built, in law: {_words(Capability)}",
            "service": f"what it may order about the service: {_words(ServiceAction)}",
            "class_issuers": "classes that take another issuer than the rest",
            "min_users": "it binds a service from so many users in the jurisdiction on",
            "mark": f"how well the row is established: {_words(Mark)}",
            "sources": "keys of the manifest's sources; a row without any is U",
            "notes": "for the letter: doubts, and what is particular",
        },
    ),
    (
        "`gag`",
        Gag,
        {
            "by_default": "the instrument itself forbids to tell; otherwise an order has to say so",
            "legal_basis": "the section, or `null`",
            "limit": "what ends it, or who may be told all the same",
            "existence_secret": "not even that such instruments exist may be said: the jurisdiction is in no warrant canary",
        },
    ),
    (
        "`answer_within`",
        AnswerWithin,
        {"routine": "the ordinary clock", "emergency": "the clock of an emergency"},
    ),
    (
        "`preserve`",
        Preserve,
        {
            "days": "for how long",
            "extension_days": "by how many days it can be extended",
            "extensions": "how often",
        },
    ),
)
_ANNOTATIONS: Final = (
    ("@id", "yes", "lower-case letters, digits and hyphens; a decision names `<pack>/<id>`"),
    ("@reason", "yes", "the sentence of the letter, for a lawyer"),
    ("@source", "yes", "the section, or `operator policy`"),
    ("@mark", "", f"{_words(Mark)}; without it the policy counts as U, and lint warns"),
    ("@ground", "", f"what a `forbid` is called when it decides; `{Ground.OUT_OF_REACH}` unless it says otherwise"),
)
_SCHEMA: Final = """\
What policies can look at is in [the schema](../../policies/blindrelay.cedarschema). `disclose`, `preserve` and `stream` apply
to subscriber, connection and traffic records alone: a policy that would permit content or keys has no type.
"""


def render(policies: Policies) -> str:
    """The page, in Markdown."""
    parts = [_HEAD, *_marks(), *_form(), *_invariants(policies.invariants)]
    for name in sorted(policies.packs):
        parts += _pack(policies, policies.packs[name])
    return "\n".join(parts)


def _marks() -> Iterator[str]:
    yield "## Marks\n"
    yield _table(("mark", "meaning"), ((f"`{mark}`", text) for mark, text in _MARKS.items()))
    yield "A cell of a matrix has the weakest mark of everything that it rests on.\n"


def _form() -> Iterator[str]:
    for heading, model, described in _FIELDS:
        yield f"## {heading}\n"
        fields = model.model_fields.items()
        rows = ((f"`{name}`", "yes" if field.is_required() else "", described[name]) for name, field in fields)
        yield _table(("field", "required", "what it says"), rows)
    yield "## Annotations of a policy\n"
    yield _table(("annotation", "required", "what it says"), ((f"`{name}`", *rest) for name, *rest in _ANNOTATIONS))
    yield _SCHEMA


def _invariants(policies: Iterable[Policy]) -> Iterator[str]:
    yield "## Invariants\n"
    yield "They forbid without a condition, for everybody, whatever another pack permits, and are loaded with every pack.\n"
    yield _table(("policy", "why", "rests on"), ((f"`{each.id}`", each.reason, each.source) for each in policies))


def _pack(policies: Policies, pack: Pack) -> Iterator[str]:
    manifest = pack.manifest
    yield f"## {manifest.jurisdiction}: {manifest.title}\n"
    yield f"As of {manifest.as_of}. {manifest.not_legal_advice}\n"
    if manifest.members:
        yield f"Members: {', '.join(manifest.members)}.\n"
    yield "What it simplifies:\n"
    yield "".join(f"- {text}\n" for text in manifest.simplifies)
    yield f"Whether users are told: {manifest.non_disclosure}\n"
    yield _table(
        ("instrument", "title", "legal basis", "issued by", "longest term", "mark", "sources"),
        (_instrument(each) for each in manifest.instruments),
    )
    yield "What comes of it at best, by `blindrelay policy matrix` (`-`: refused, and the law does not reach it either):\n"
    yield markdown(matrix(policies, [manifest.jurisdiction]))
    notes = [f"- `{each.id}`: {each.notes}\n" for each in manifest.instruments if each.notes]
    if notes:
        yield "".join(notes)
    yield "Sources: " + "; ".join(f"`{key}` {text}" for key, text in manifest.sources.items()) + "\n"


def _instrument(row: Instrument) -> tuple[str, ...]:
    term = f"{row.max_days} days" if row.max_days else ""
    issuers = reasons.issuers_in_words(row.issuers)
    return f"`{row.id}`", row.title, row.legal_basis, issuers, term, row.mark, ", ".join(row.sources)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(render(Policies.load()))
