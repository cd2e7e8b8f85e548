"""When service was back, and whether memory was bounded: pure functions over what was seen."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from blindrelay.proofs.chaos.journal import Entry, Kind
from blindrelay.proofs.chaos.oracle import Finding, Invariant

#: Within so many seconds of a fault's end everybody is served again.
BACK_WITHIN: Final = 10.0
# What one relay process may take above what it takes with nobody connected: allocators keep what they once had, and a batch
# of the largest envelopes is on its way in and out.
_GROWTH: Final = 96 * 1024 * 1024
_PER_CONNECTION: Final = 64 * 1024
#: Nodes that have to wait for a processor for longer than this many times what they run are no measure of a relay.
STARVED: Final = 3.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long after the end of a fault the last device had its first PUBACK, and its first message, and the last of a crowd
    was connected. None: not in time."""

    fault: str
    acknowledged: float | None
    delivered: float | None
    crowd: float | None = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether everybody was served again."""
        return None not in (self.acknowledged, self.delivered, self.crowd)

    @property
    def seconds(self) -> float:
        """Until the last of them was."""
        times = (self.acknowledged, self.delivered, self.crowd)
        return max((each for each in times if each is not None), default=0.0) if self.is_whole else float("inf")


def recovery(fault: str, entries: Iterable[Entry], since: float, devices: Collection[str]) -> Recovery:
    """Who was served after `since` (monotonic seconds): each of `devices`, in both directions, or it does not count."""
    first: dict[Kind, dict[str, float]] = {Kind.ACKED: {}, Kind.HANDED: {}}
    for entry in entries:
        if entry.kind in first and entry.at >= since:
            first[entry.kind].setdefault(entry.client, entry.at - since)
    return Recovery(fault, *(_last(served, devices) for served in first.values()))


def _last(served: Mapping[str, float], devices: Collection[str]) -> float | None:
    if any(device not in served for device in devices):
        return None
    return max((served[device] for device in devices), default=0.0)


def too_late(recoveries: Iterable[Recovery]) -> list[Finding]:
    """I10: what was not back in time."""
    found = []
    for each in recoveries:
        if each.seconds > BACK_WITHIN:
            what = (
                "not everybody was served" if not each.is_whole else f"the last was served after {each.seconds:.1f} s"
            )
            found.append(Finding(Invariant.I10, f"{each.fault} was over, and {what}; {BACK_WITHIN:g} s are allowed"))
    return found


@dataclass(frozen=True, slots=True)
class Sample:
    """What one node took, at a moment (monotonic seconds)."""

    at: float
    node: str
    resident: int  # bytes


def unbounded(samples: Sequence[Sample], idle: Mapping[str, int], connections: int) -> list[Finding]:
    """I10: which node took more at any time than it may.

    Args:
        samples: of all nodes.
        idle: what each took with nobody connected, in bytes.
        connections: how many there were at most.
    """
    allowed = _GROWTH + connections * _PER_CONNECTION
    found = []
    for node, peak in peaks(samples).items():
        if peak - idle.get(node, peak) > allowed:
            found.append(
                Finding(
                    Invariant.I10,
                    f"{node} took {peak >> 20} MiB, {idle[node] >> 20} MiB when idle; {allowed >> 20} MiB more are allowed",
                )
            )
    return found


def peaks(samples: Iterable[Sample]) -> dict[str, int]:
    """The most that each node took, in bytes."""
    found: dict[str, int] = {}
    for sample in samples:
        found[sample.node] = max(sample.resident, found.get(sample.node, 0))
    return found
