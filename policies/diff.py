"""Which cells a change to policies moves, from what to what, and why.

Both sides are asked the same questions: every use of every instrument of either, in all ways that the policies of either could
tell apart. So a threshold that goes from three years to five shows at three and at four.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from blindrelay.policies.cells import Cell, Column, cells
from blindrelay.policies.engine import decide
from blindrelay.policies.hypothesis import Circumstances, every_use, pose
from blindrelay.policies.matters import looked_at
from blindrelay.policies.packs import Instrument, Pack, Policies
from blindrelay.policies.vocabulary import Scope


class Direction(StrEnum):
    """Whether an authority gets more than before."""

    MORE = "more"
    LESS = "less"
    OTHERWISE = "otherwise"  #: as much, or as little, for another reason, or better or worse established


@dataclass(frozen=True, slots=True)
class Move:
    """A cell that is not what it was.

    Attributes:
        uses: the circumstances under which it is not.
        before, after: the cell under the first of them.
    """

    instrument: str
    column: Column
    how: str
    before: Cell
    after: Cell
    uses: tuple[Circumstances, ...]

    @property
    def direction(self) -> Direction:
        """Which way it moved."""
        if self.before.rank == self.after.rank:
            return Direction.OTHERWISE
        return Direction.MORE if self.after.rank < self.before.rank else Direction.LESS

    def record(self) -> dict[str, Any]:
        """For programs."""
        return {
            "instrument": self.instrument,
            "asked": str(self.column),
            "how": self.how,
            "direction": str(self.direction),
            "before": self.before.record(),
            "after": self.after.record(),
            "uses": [use.described() for use in self.uses],
        }


def diff(old: Policies, new: Policies) -> tuple[Move, ...]:
    """Every cell that moves, in the order of the manifests."""
    return tuple(move for instrument in concerned(old, new) for move in moves(old, new, instrument))


def concerned(old: Policies, new: Policies) -> tuple[str, ...]:
    """Instruments of the packs that are not the same on both sides."""
    jurisdictions = sorted(set(old.packs) | set(new.packs))
    changed = [
        name for name in jurisdictions if old.packs.get(name) != new.packs.get(name) or old.invariants != new.invariants
    ]
    found = (each.id for name in changed for pack in _both(old, new, name) for each in pack.manifest.instruments)
    return tuple(dict.fromkeys(found))


def moves(old: Policies, new: Policies, instrument_id: str) -> tuple[Move, ...]:
    """The cells of one instrument that move. A side that does not know the instrument refuses everything under it."""
    packs = _both(old, new, instrument_id.partition("/")[0])
    together: dict[tuple[object, ...], list[tuple[Circumstances, Cell, Cell]]] = {}
    is_new = not all(_rows([pack], instrument_id) for pack in packs) or len(packs) == 1
    for use, before, after in _compared(packs, old, new, instrument_id):
        if is_new and before.rank == after.rank:
            continue  # refused as unknown here, and for another reason there
        if _key(before) != _key(after):
            key = (before.column, before.how, _key(before), _key(after))
            together.setdefault(key, []).append((use, before, after))
    order = list(Column)
    return tuple(
        sorted(
            (
                Move(instrument_id, found[0][1].column, found[0][1].how, *found[0][1:], tuple(use for use, *_ in found))
                for found in together.values()
            ),
            key=lambda move: (order.index(move.column), move.how),
        )
    )


def _compared(
    packs: list[Pack], old: Policies, new: Policies, instrument_id: str
) -> Iterator[tuple[Circumstances, Cell, Cell]]:
    seen = looked_at(packs, instrument_id)
    uses = dict.fromkeys(
        use for pack, instrument in _rows(packs, instrument_id) for use in every_use(pack, instrument, seen)
    )
    reference = next(pack for pack, _ in _rows(packs, instrument_id))
    for use in uses:
        posed = pose(reference, use)
        bulk = use.scope is Scope.ALL_USERS
        pairs = zip(cells(decide(*posed, old), bulk=bulk), cells(decide(*posed, new), bulk=bulk), strict=True)
        for before, after in pairs:
            if bulk == (before.column is Column.BULK):
                yield use, before, after


def _both(old: Policies, new: Policies, jurisdiction: str) -> list[Pack]:
    return [pack for pack in (old.packs.get(jurisdiction), new.packs.get(jurisdiction)) if pack is not None]


def _rows(packs: list[Pack], instrument_id: str) -> list[tuple[Pack, Instrument]]:
    found = ((pack, pack.manifest.instrument(instrument_id)) for pack in packs)
    return [(pack, instrument) for pack, instrument in found if instrument is not None]


def _key(cell: Cell) -> tuple[object, ...]:
    # How well a refusal is established moves nothing that an authority could get.
    return cell.outcome, cell.ground, cell.mark if cell.gives else None
