"""What comes of one thing that can be asked for: the unit in which explain, matrix and diff speak."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from blindrelay.policies.decision import ClassDecision, Decision, DemandDecision, Reason
from blindrelay.policies.hypothesis import DATA_MODES
from blindrelay.policies.vocabulary import Capability, Ground, Mark, Outcome

_WEAKEST_LAST: Final = (Mark.CONFIRMED, Mark.SECONDARY, Mark.UNCONFIRMED)
#: From what gives most to what gives least.
_RANK: Final = (
    Outcome.GRANTED,
    Outcome.NARROWED,
    Outcome.PRESERVED,
    Outcome.HELD,
    Outcome.REDIRECTED,
    Outcome.EXPIRED,
    Outcome.WITHDRAWN,
    Outcome.FRAUD_SUSPECTED,
    Outcome.REFUSED,
)


class Column(StrEnum):
    """What can be asked for."""

    SUBSCRIBER = "SUBSCRIBER"  #: this and the next four: a class of data about named accounts
    ACCESS = "ACCESS"
    TRAFFIC = "TRAFFIC"
    CONTENT = "CONTENT"
    KEYS = "KEYS"
    BULK = "BULK"  #: metadata about everybody
    CAPABILITY = "CAPABILITY"  #: something that is to be built
    EXPORT = "EXPORT"  #: use of an export that exists: nothing is built, and nothing leaves by that alone
    SERVICE = "SERVICE"  #: that it be suspended, or go on


@dataclass(frozen=True, slots=True)
class Cell:
    """What comes of it, why, and how sure that is.

    Attributes:
        how: the mode, capability or action: `stored`, `decryption`, `suspend`.
        mark: the weakest mark of what it rests on, the instrument's row among it.
        reasons: the engine's own, in its order.
        law: what the law says where it is not followed, or where nothing is held.
    """

    column: Column
    how: str
    outcome: Outcome
    ground: Ground | None
    mark: Mark
    reasons: tuple[Reason, ...]
    law: str | None
    would_change: tuple[str, ...]

    @property
    def gives(self) -> bool:
        """Whether something comes of it that the authority wants."""
        return self.outcome.discloses or self.outcome is Outcome.PRESERVED

    @property
    def verdict(self) -> str:
        """`granted (S)`, or `refused: not held (C)`."""
        why = f": {self.ground.replace('-', ' ')}" if self.ground else ""
        return f"{self.outcome}{why} ({self.mark})"

    def record(self) -> dict[str, Any]:
        """For programs."""
        return {
            "asked": str(self.column),
            "how": self.how,
            "outcome": str(self.outcome),
            "ground": self.ground and str(self.ground),
            "mark": str(self.mark),
            "reasons": [asdict(reason) for reason in self.reasons],
            "law": self.law,
            "would_change": list(self.would_change),
        }

    @property
    def rank(self) -> int:
        """0 for what gives most; the higher, the less."""
        return _RANK.index(self.outcome)

    @property
    def policies(self) -> tuple[str, ...]:
        """What determined it, by id."""
        return tuple(dict.fromkeys(reason.policy_id for reason in self.reasons))


def cells(decision: Decision, *, bulk: bool = False) -> Iterator[Cell]:
    """The cells of a decision that `hypothesis.ask` gave.

    Args:
        bulk: the demands were about everybody, and their metadata classes make one column.
    """
    modes = {str(mode) for mode in DATA_MODES}
    for demand in decision.demands:
        if demand.demand_id in modes:
            for found in demand.classes:
                column = Column.BULK if bulk and found.data_class.is_metadata else Column(found.data_class)
                # A gate that is shut is the demand's; its classes have no reasons of their own then.
                yield _cell(column, demand.demand_id, found, found.reasons or demand.reasons, demand.reasons)
        else:
            kind, _, how = demand.demand_id.partition("-")
            yield _cell(_column(kind, how), how, demand, demand.reasons, ())


def best(found: Iterable[Cell]) -> Cell:
    """The cell that gives most; of equals the one that is best established, then the first. ValueError for none."""
    return min(found, key=lambda cell: (cell.rank, _rank_of_refusal(cell), _WEAKEST_LAST.index(cell.mark)))


def weakest(rests_on: Iterable[Reason | Cell]) -> Mark:
    """The mark of the least established; C where there is none."""
    return max((each.mark for each in rests_on), key=_WEAKEST_LAST.index, default=Mark.CONFIRMED)


def _rank_of_refusal(cell: Cell) -> int:
    # Of two refusals the one that says "the law reaches it, and there is nothing" tells more than "the law does not reach it".
    return 0 if cell.ground in {None, Ground.NOT_HELD, Ground.CAPABILITY, Ground.BULK} else 1


def _column(kind: str, how: str) -> Column:
    if kind == "service":
        return Column.SERVICE
    return Column.EXPORT if how == Capability.METADATA_EXPORT else Column.CAPABILITY


def _cell(
    column: Column,
    how: str,
    found: ClassDecision | DemandDecision,
    why: tuple[Reason, ...],
    beside: tuple[Reason, ...],
) -> Cell:
    mark = weakest((*why, *beside))
    return Cell(column, how, found.outcome, found.ground, mark, why, found.law, found.would_change)
