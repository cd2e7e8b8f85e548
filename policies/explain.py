"""What this authority could get with this instrument about this tenant, and why: as the engine answers."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from blindrelay.policies.cells import Cell, Column, cells
from blindrelay.policies.decision import Decision, Reason
from blindrelay.policies.hypothesis import Circumstances, ask
from blindrelay.policies.matrix import reached
from blindrelay.policies.packs import Instrument, Policies
from blindrelay.policies.vocabulary import Mark, Outcome, Scope

#: What is left out where an instrument has nothing to do with it: that would be one more refusal, of what nobody asks for.
_ASIDE = frozenset({Column.EXPORT, Column.SERVICE})


@dataclass(frozen=True, slots=True)
class Answer:
    """Cells with one answer, for one reason.

    Attributes:
        how: the modes, capabilities or actions that it is the answer to.
        cell: the first of them.
    """

    how: tuple[str, ...]
    cell: Cell


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that could be asked for under some circumstances, and what comes of it.

    Attributes:
        location: where the manifest has the instrument's row.
        decision: what the engine decided.
        cells: each thing that can be asked for, in the order of `Column`.
    """

    circumstances: Circumstances
    instrument: Instrument
    location: str
    decision: Decision
    cells: tuple[Cell, ...]

    def answers(self) -> list[Answer]:
        """The cells, those together that have the same answer for the same reason."""
        together: dict[tuple[object, ...], list[Cell]] = {}
        for cell in self.cells:
            key = (cell.column, cell.outcome, cell.ground, cell.reasons, cell.law, cell.would_change)
            together.setdefault(key, []).append(cell)
        return [Answer(tuple(dict.fromkeys(cell.how for cell in found)), found[0]) for found in together.values()]

    @property
    def redirected_to(self) -> tuple[str, ...]:
        """Whom the authority is sent to for what is shown."""
        away = {cell.how for cell in self.cells if cell.outcome is Outcome.REDIRECTED}
        found = (demand.redirect_to for demand in self.decision.demands if demand.demand_id in away)
        return tuple(dict.fromkeys(name for name in found if name))

    @property
    def unconfirmed(self) -> tuple[Reason, ...]:
        """What a whole demand rests on, and what somebody should check first."""
        shown = {cell.how for cell in self.cells if cell.mark is Mark.UNCONFIRMED}
        found = (reason for demand in self.decision.demands if demand.demand_id in shown for reason in demand.reasons)
        return tuple(dict.fromkeys(reason for reason in found if reason.mark is Mark.UNCONFIRMED))

    @property
    def approvals(self) -> int:
        """How many persons of the operator's approve before anything that is shown leaves; 0 where nothing does."""
        if not any(cell.outcome.discloses for cell in self.cells):
            return 0
        return max(demand.approvals_needed for demand in self.decision.demands)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each cell, for programs."""
        under = self.circumstances
        about = {
            "instrument": under.instrument,
            "issuer": str(under.issuer),
            "authority": str(under.asker or under.issuer),
            "jurisdiction": under.authority_jurisdiction,
            "tenant": under.tenant,
        }
        yield from (about | cell.record() for cell in self.cells)


def explain(
    policies: Policies, circumstances: Circumstances, columns: Collection[Column] = (), how: Collection[str] = ()
) -> Explanation:
    """Ask the engine.

    Args:
        columns: what is asked for; nothing stands for everything that has to do with the instrument.
        how: in which modes; nothing stands for all.

    Raises:
        KeyError: there is no pack of the instrument's jurisdiction, or none of its instruments has that id.
    """
    pack = policies.packs[circumstances.instrument.partition("/")[0]]
    instrument = pack.manifest.instrument(circumstances.instrument)
    if instrument is None:
        raise KeyError(circumstances.instrument)
    decision = ask(policies, circumstances)
    found = cells(decision, bulk=circumstances.scope is Scope.ALL_USERS)
    order = list(Column)
    kept = [
        cell
        for cell in found
        if (cell.column in columns if columns else cell.column not in _ASIDE or reached(cell.column, instrument))
        and (not how or cell.how in how)
    ]
    return Explanation(
        circumstances,
        instrument,
        pack.location(instrument.id),
        decision,
        tuple(sorted(kept, key=lambda cell: order.index(cell.column))),
    )
