"""What a saboteur is: one deliberate leak, and how it has to be found."""

from collections.abc import Callable
from dataclasses import dataclass

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage


def _nothing() -> None:
    """On this side everything is as it should be."""


@dataclass(frozen=True, slots=True)
class Saboteur:
    """One way to make the system leak.

    Attributes:
        title: what it does, in a line.
        lock: which lock it picks.
        modelled_on: a real incident, proposal or paper.
        caught_by: the checks that have to find it, each with the reason that it has to give: `("canary", "log")`. One of them
            suffices.
        shows_in: the parts of a run in which it shows, where those are not `enough` for the checks that have to find it.
        in_relay: called in the relay's process before the relay is started. It must not import a client.
        in_clients: called in the process of clients and authorities before they are made.
    """

    name: str
    title: str
    lock: Lock
    modelled_on: str
    caught_by: frozenset[tuple[str, str]]
    shows_in: tuple[Stage, ...] = ()
    in_relay: Callable[[], None] = _nothing
    in_clients: Callable[[], None] = _nothing

    @property
    def checks(self) -> tuple[str, ...]:
        """Those that have to find it, or one of them."""
        return tuple(sorted({check for check, _ in self.caught_by}))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why."""
        return tuple(sorted({reason for _, reason in self.caught_by}))
