"""What a fault is done to: a deployment, and those who use it."""

from collections.abc import Callable
from dataclasses import dataclass

from blindrelay.proofs.chaos.matrix.crowd import Crowd
from blindrelay.proofs.chaos.matrix.site import Site
from blindrelay.proofs.chaos.workload import Workload


@dataclass(frozen=True, slots=True)
class Stage:
    """A run as a fault sees it.

    Attributes:
        crowd: those besides, for the faults that want many.
        frozen: for how long a node stands still. Seconds.
        note: writes into the timeline what is being done, to what.
    """

    site: Site
    workload: Workload
    crowd: Crowd | None
    frozen: float
    note: Callable[[str], None]
