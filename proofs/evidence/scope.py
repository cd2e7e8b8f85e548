"""How much of a run there is: all of it, or as much as shows one thing that is looked for."""

import argparse
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self


class Stage(StrEnum):
    """A part of a run. They come in this order, and each can be left out."""

    TALK = "talk"
    WAIT = "wait"
    TRY = "try"
    FAIL = "fail"
    ASK = "ask"
    AGE = "age"
    DEPART = "depart"
    LEAVE = "leave"

    @property
    def about(self) -> str:
        """What happens in it."""
        return _ABOUT[self]


_ABOUT = {
    Stage.TALK: "people write in both postures, under load",
    Stage.WAIT: "letters wait",
    Stage.TRY: "the relay tries what it could",
    Stage.FAIL: "things go wrong in the relay",
    Stage.ASK: "authorities ask for everything under every pack",
    Stage.AGE: "time passes, records go",
    Stage.DEPART: "an enterprise leaves, and mail waits for it",
    Stage.LEAVE: "the relay leaves",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run is to be.

    Attributes:
        quick: a part of the requests and of the pairs of worlds.
        saboteur: a deliberate leak, by name or by its file; empty for none.
        stages: the parts that are not left out.
        reasons: what alone is looked for, by the names of checks' reasons; whatever cannot show one of them may be left out.
            Empty: everything is.
    """

    quick: bool = False
    saboteur: str = ""
    stages: tuple[Stage, ...] = tuple(Stage)
    reasons: tuple[str, ...] = ()

    def wants(self, reason: str) -> bool:
        """Whether this is looked for."""
        return not self.reasons or reason in self.reasons

    @property
    def options(self) -> list[str]:
        """On the command lines of the processes that work for a run."""
        return [
            *(["--quick"] if self.quick else []),
            *(["--saboteur", self.saboteur] if self.saboteur else []),
            *(["--stages", *self.stages] if self.stages != tuple(Stage) else []),
            *(["--reasons", *self.reasons] if self.reasons else []),
        ]

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Let a command line have them."""
        parser.add_argument("--quick", action="store_true")
        parser.add_argument("--saboteur", default="")
        parser.add_argument("--stages", nargs="*", type=Stage, default=tuple(Stage))
        parser.add_argument("--reasons", nargs="*", default=())

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """What a command line says."""
        return cls(arguments.quick, arguments.saboteur, tuple(arguments.stages), tuple(arguments.reasons))


#: All of it, of the honest system.
WHOLE: Final = Scope()
