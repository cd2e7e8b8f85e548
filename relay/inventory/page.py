"""The inventory for people: rows of plain text, the reference page, the one-page chart."""

from dataclasses import dataclass
from itertools import groupby

from blindrelay.relay.config import Retention
from blindrelay.relay.inventory.fields import FIELDS
from blindrelay.relay.inventory.model import DataClass, Field, Place, Posture, Presence

_HEAD = """\
# The metadata inventory

Every field that exists outside the ciphertext: what it is for, how exact it is, for how long it is kept, and whether a lawful
request can get it. This page is printed by `python -m blindrelay.relay.inventory docs/reference/metadata-inventory.md`; a
test fails on a database column, log key or metric label that is not in the registry, and on a page that is not what the
registry prints. Metrics are counts over everybody, at an endpoint of the operator's own; spans of traces exist
where the operator has named a collector for them, and not otherwise.

Windows are the defaults: `[retention]` in the relay's configuration changes them. One thing prolongs them: a preservation order
keeps the connections and the traffic that existed when it came, of the accounts that it names, until it ends. A user's own look
(`my-data`) says how many records are kept for longer than their window; while an order forbids to speak of it, it leaves out
the records that are there because of that order alone.

*seen* passes through the relay's memory and is not written down; *absent* does not exist.
"""

_EXPLANATIONS = {
    DataClass.SUBSCRIBER: "who is enrolled",
    DataClass.ACCESS: "who was connected, when and from where",
    DataClass.TRAFFIC: "who wrote to whom, when and how much",
    DataClass.OPERATIONAL: "public keys, and what running connections need",
    DataClass.CONTENT_SEALED: "what people wrote, sealed: the relay holds it until it is delivered and cannot open it",
}


# Copies of what is told elsewhere, and what is about no person.
_OF_THE_RELAY = frozenset({"Departed", "RecentId", "Schema", "ServiceState", "Https", "Cluster", "Presence", "Watch"})
_NUMBERING = frozenset(
    {
        "record number",
        "place in the ring",
        "place in the mailbox",
        "place in the public log",
        "place of the root in the public log",
        "place of the statement in the public log",
        "prekey's signature",
        "zeros",
        "owner of the mailbox",
        "last place given",
        "whether the owner is revoked or has left",
        "envelopes that wait at most",
        "their padded size at most",
        "when the two were exact",
        "prekey number",
        "notice number",
        "notice that it has",
        "case and demand, or change of the service",
        "signature of the notice",
        "jurisdiction of the notice",
        "case and demand of the order",
        "case and demand of the preserved account",
        "last preserved connection",
        "last preserved traffic record",
        "start of the preserved window",
        "end of the preserved window",
        "end of the order",
        "from when on users may be told",
        "tenant of the device",
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """One field, as text."""

    record: str
    field: str
    where: str
    data_class: str
    purpose: str
    granularity: str
    retention: str
    holder: str
    standard: str
    sealed: str
    disclosable: str


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One line of the chart for lawyers: a field, and for each posture whether it is seen, kept, disclosable."""

    data_class: str
    field: str
    standard: str
    sealed: str
    retention: str
    disclosable: str


def rows(retention: Retention | None = None) -> list[Row]:
    """All fields, with the windows of `retention` (the defaults when there is none)."""
    return [_row(field, retention or Retention()) for field in FIELDS]


def chart(retention: Retention | None = None) -> list[ChartRow]:
    """The fields about people, one line each, in the order of the classes. Log keys and record numbers are left out."""
    windows = retention or Retention()
    about_people = [
        field for field in FIELDS if field.place in (Place.DATABASE, Place.WIRE) and _is_about_people(field)
    ]
    order = list(DataClass)
    return [
        ChartRow(
            field.data_class.value,
            field.name,
            field.standard.value,
            field.sealed.value,
            field.lifetime.text(windows),
            _disclosable(field),
        )
        for field in sorted(about_people, key=lambda field: (order.index(field.data_class), field.place is Place.WIRE))
    ]


def page() -> str:
    """The reference page, in Markdown, with the default windows."""
    parts = [_HEAD, "## The classes\n", _table(("class", "what it is", "disclosable"), _classes())]
    for record, found in groupby(rows(), key=lambda row: row.record):
        lines: list[tuple[str, ...]] = [
            (
                row.field, _code(row), row.data_class, row.purpose, row.granularity, row.retention, row.standard, row.sealed,
                row.disclosable,
            )
            for row in found
        ]  # fmt: skip
        parts += [
            f"## {record}\n",
            _table(
                ("field", "where", "class", "purpose", "granularity", "kept for", "standard", "sealed", "disclosable"),
                lines,
            ),
        ]
    return "\n".join(parts)


def _row(field: Field, retention: Retention) -> Row:
    return Row(
        record=field.record,
        field=field.name,
        where=field.where if field.place is not Place.WIRE else "",
        data_class=field.data_class.value,
        purpose=field.purpose,
        granularity=field.granularity,
        retention=field.lifetime.text(retention),
        holder=field.holder,
        standard=field.presence(Posture.STANDARD).value,
        sealed=field.presence(Posture.SEALED).value,
        disclosable=_disclosable(field),
    )


def _is_about_people(field: Field) -> bool:
    return field.record not in _OF_THE_RELAY and field.name not in _NUMBERING


def _disclosable(field: Field) -> str:
    return "yes" if field.disclosable else "no"


def _classes() -> list[tuple[str, ...]]:
    return [
        (
            kind.value,
            _EXPLANATIONS[kind],
            "yes" if any(field.disclosable for field in FIELDS if field.data_class is kind) else "no",
        )
        for kind in DataClass
        if any(field.data_class is kind for field in FIELDS if field.standard is not Presence.ABSENT)
    ]


def _code(row: Row) -> str:
    return f"`{row.where}`" if row.where else ""


def _table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    text = [f"| {' | '.join(head)} |", f"|{'|'.join('---' for _ in head)}|"]
    return "\n".join([*text, *(f"| {' | '.join(line)} |" for line in lines), ""])
