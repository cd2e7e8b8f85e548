"""Jurisdiction x instrument x what is asked for: what comes of it at best, by the real engine.

At best: of all that an issuer named in the manifest could state, the form that gives most. A cell that refuses, refuses
everybody.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from blindrelay.policies.cells import Cell, Column, best, cells, weakest
from blindrelay.policies.hypothesis import ask, every_use
from blindrelay.policies.matters import looked_at
from blindrelay.policies.packs import Instrument, Pack, Policies
from blindrelay.policies.vocabulary import AuthorityKind, Capability, DataClass, Ground, Mark, Outcome, Scope

#: What a cell shows instead of a verdict when the law does not reach it and nobody claims so.
BEYOND: Final = "-"


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """What comes of asking for `column` with an instrument.

    Attributes:
        how: modes, capabilities or actions that give it; empty when nothing is given.
        mark: the weakest mark of what it rests on, in any of these ways.
        in_law: whether the law reaches it with this instrument, whatever comes of it here.
        policies: what determined it.
    """

    column: Column
    outcome: Outcome
    ground: Ground | None
    mark: Mark
    how: tuple[str, ...]
    in_law: bool
    policies: tuple[str, ...]

    @property
    def short(self) -> str:
        """`yes: stored (S)`, `refused: not held (C)`; `-` is refused, too, and the law reaches nothing either."""
        if not self.how and not self.in_law:
            return BEYOND
        if self.how:
            given = "in part" if self.outcome is Outcome.NARROWED else "yes"
            return f"{given}: {', '.join(self.how)} ({self.mark})"
        ground = f": {self.ground.replace('-', ' ')}" if self.ground else ""
        return f"{self.outcome}{ground} ({self.mark})"


@dataclass(frozen=True, slots=True)
class Row:
    """One instrument."""

    jurisdiction: str
    instrument: str
    title: str
    legal_basis: str
    mark: Mark
    cells: Mapping[Column, MatrixCell]

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each cell, for programs."""
        for cell in self.cells.values():
            yield {
                "jurisdiction": self.jurisdiction,
                "instrument": self.instrument,
                "asked": str(cell.column),
                "outcome": str(cell.outcome),
                "ground": cell.ground and str(cell.ground),
                "mark": str(cell.mark),
                "how": list(cell.how),
                "reached_in_law": cell.in_law,
                "policies": list(cell.policies),
            }


def matrix(policies: Policies, jurisdictions: Iterable[str] = ()) -> tuple[Row, ...]:
    """All instruments of these jurisdictions, or of all. KeyError: a jurisdiction has no pack."""
    return tuple(row(policies, pack, instrument) for pack, instrument in uses(policies, jurisdictions))


def uses(policies: Policies, jurisdictions: Iterable[str] = ()) -> tuple[tuple[Pack, Instrument], ...]:
    """The instruments of these jurisdictions, or of all, in the order of the manifests. KeyError: one has no pack."""
    names = tuple(jurisdictions) or tuple(sorted(policies.packs))
    return tuple((policies.packs[name], each) for name in names for each in policies.packs[name].manifest.instruments)


def markdown(rows: Iterable[Row]) -> str:
    """One Markdown table."""
    head = ["instrument", "legal basis", *(str(column) for column in Column)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for each in rows:
        shown = [f"`{each.instrument}`", each.legal_basis, *(cell.short for cell in each.cells.values())]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in shown) + " |")
    return "\n".join(lines) + "\n"


def row(policies: Policies, pack: Pack, instrument: Instrument) -> Row:
    """One instrument, asked about in every way in which it could be used."""
    found: dict[Column, list[Cell]] = {column: [] for column in Column}
    asked: set[AuthorityKind] = set()
    for circumstances in every_use(pack, instrument, looked_at([pack], instrument.id)):
        if circumstances.scope is Scope.TENANT:  # never gives more than named accounts do
            continue
        bulk = circumstances.scope is Scope.ALL_USERS
        decision = ask(policies, circumstances, capabilities=circumstances.issuer not in asked)
        asked.add(circumstances.issuer)
        for cell in cells(decision, bulk=bulk):
            if bulk == (cell.column is Column.BULK):
                found[cell.column].append(cell)
    manifest = pack.manifest
    return Row(
        manifest.jurisdiction,
        instrument.id,
        instrument.title,
        instrument.legal_basis,
        instrument.mark,
        {column: _cell(column, instrument, of_column) for column, of_column in found.items()},
    )


def _cell(column: Column, instrument: Instrument, found: list[Cell]) -> MatrixCell:
    chosen = best(found)
    how = tuple(dict.fromkeys(cell.how for cell in found if cell.gives))
    each = [best(cell for cell in found if cell.how == one) for one in how] or [chosen]
    policies = tuple(dict.fromkeys(policy for cell in each for policy in cell.policies))
    return MatrixCell(column, chosen.outcome, chosen.ground, weakest(each), how, reached(column, instrument), policies)


def reached(column: Column, instrument: Instrument) -> bool:
    """Whether the law reaches this with the instrument, whatever comes of it here."""
    match column:
        case Column.BULK:
            return Scope.ALL_USERS in instrument.scopes and bool(instrument.reach)
        case Column.CAPABILITY:
            return bool(set(instrument.capabilities) - {Capability.METADATA_EXPORT})
        case Column.EXPORT:
            return Capability.METADATA_EXPORT in instrument.capabilities
        case Column.SERVICE:
            return bool(instrument.service)
        case _:
            return DataClass(column) in instrument.reach
