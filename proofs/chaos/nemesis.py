"""Which fault when: a schedule drawn from a seed before the run and written down, so that a failure can be had again.

At most two faults at once, one of the relay's process and one of the network. The last fifth of the time is left for
healing in peace.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final


class Fault(StrEnum):
    """What can be done to the relay and to its network."""

    KILL = "kill -9"
    TERMINATE = "SIGTERM"
    FREEZE = "SIGSTOP"
    CLOCK_FORWARD = "wall clock +30 days"
    CLOCK_BACK = "wall clock -10 days"
    RESET = "connections reset"
    CUT = "connections cut within a packet"
    HALF_OPEN = "network held"
    ANSWERS_HELD = "answers held"
    SLOW = "network slow"
    STORM = "everybody reconnects at once"


PROCESS_FAULTS: Final = (Fault.KILL, Fault.TERMINATE, Fault.FREEZE, Fault.CLOCK_FORWARD, Fault.CLOCK_BACK)
NETWORK_FAULTS: Final = (Fault.RESET, Fault.CUT, Fault.HALF_OPEN, Fault.ANSWERS_HELD, Fault.SLOW, Fault.STORM)

#: Those after which connections may be gone, and those that hold bytes or the relay back.
SEVERING: Final = frozenset(
    {
        Fault.KILL,
        Fault.TERMINATE,
        Fault.FREEZE,
        Fault.RESET,
        Fault.CUT,
        Fault.HALF_OPEN,
        Fault.ANSWERS_HELD,
        Fault.STORM,
    }
)
DELAYING: Final = frozenset(
    {Fault.KILL, Fault.TERMINATE, Fault.FREEZE, Fault.HALF_OPEN, Fault.ANSWERS_HELD, Fault.SLOW, Fault.STORM}
)

# How much likelier than others. A kill is what it is all about.
_WEIGHTS: Final = {Fault.KILL: 6, Fault.TERMINATE: 3, Fault.FREEZE: 3}
# Shortest and longest length, seconds. A process that is down stays so for that long, then takes its time to start.
_LENGTHS: Final = {
    Fault.KILL: (0.0, 0.5),
    Fault.TERMINATE: (0.0, 0.3),
    Fault.FREEZE: (0.2, 2.0),
    Fault.CLOCK_FORWARD: (0.5, 2.0),
    Fault.CLOCK_BACK: (0.5, 2.0),
    Fault.HALF_OPEN: (0.3, 1.5),
    Fault.ANSWERS_HELD: (0.3, 1.5),
    Fault.SLOW: (0.5, 1.5),
}
# From the end of a fault to the next of the same kind of target, so that something is in flight again.
_PEACE: Final = (0.4, 1.5)
# What a restart takes is added to the length when the next fault is planned.
_RESTART: Final = 1.2


@dataclass(frozen=True, slots=True)
class Strike:
    """One planned fault. Times are seconds from the start of the run."""

    at: float
    fault: Fault
    length: float


def draw(seed: int, seconds: float) -> tuple[Strike, ...]:
    """The schedule of `seed` for a run of `seconds`, by time."""
    # Not for secrets: a run is to be repeatable.
    chance = random.Random(f"nemesis {seed}")  # noqa: S311
    until = seconds * 0.8
    return tuple(
        sorted(
            (*_track(chance, PROCESS_FAULTS, until), *_track(chance, NETWORK_FAULTS, until)),
            key=lambda strike: strike.at,
        )
    )


def _track(chance: random.Random, faults: Sequence[Fault], until: float) -> list[Strike]:
    strikes: list[Strike] = []
    at = chance.uniform(*_PEACE)
    weights = [_WEIGHTS.get(fault, 1) for fault in faults]
    while at < until:
        fault = chance.choices(faults, weights)[0]
        length = round(chance.uniform(*_LENGTHS.get(fault, (0.0, 0.0))), 3)
        strikes.append(Strike(round(at, 3), fault, length))
        at += length + chance.uniform(*_PEACE)
        if fault in {Fault.KILL, Fault.TERMINATE}:
            at += _RESTART
    return strikes


def save(schedule: Sequence[Strike], path: Path) -> None:
    """Write a schedule down, one strike a line."""
    path.write_text("".join(json.dumps(asdict(strike)) + "\n" for strike in schedule), encoding="utf-8")


def load(path: Path) -> tuple[Strike, ...]:
    """Read what `save` wrote."""
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(Strike(line["at"], Fault(line["fault"]), line["length"]) for line in lines)
