"""Scenarios: history, played."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from blindrelay.console.access import needs
from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import Right
from blindrelay.console.sessions import Session
from blindrelay.console.view import View
from blindrelay.policies.scenarios.document import Source
from blindrelay.policies.scenarios.words import Label
from blindrelay.protocol.statements import Wire

Watcher = Annotated[Session, needs(Right.SEE_EVIDENCE)]


class ScenarioShown(Wire):
    """A scenario that can be played."""

    name: str
    title: str
    description: str
    variants: dict[str, str]
    sources: tuple[str, ...]


class Wanted(Wire):
    """What is to be played."""

    scenario: Label
    variant: Label | None = None


class Started(Wire):
    """Which run it is."""

    run: int


def routes(desktop: Desktop) -> APIRouter:
    """What the page asks for."""
    router = APIRouter()

    @router.get("/scenarios")
    async def scenarios(session: Watcher) -> list[ScenarioShown]:
        """Those that come along, with their variants."""
        del session
        return [_shown(source) for source in desktop.runs.sources.values()]

    @router.post("/runs")
    async def start(wanted: Wanted, session: Watcher) -> Started:
        """Play one, against a relay and a clock of its own; what was played before is found again."""
        del session
        return Started(run=desktop.runs.start(wanted.scenario, wanted.variant).number)

    @router.get("/runs/{number}")
    async def run(number: int, session: Watcher, after: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
        """How far a run is: its frames from `after` on, and how it ended."""
        del session
        found = desktop.runs.find(number)
        return {
            "frames": [frame.model_dump(mode="json") for frame in found.frames[after:]],
            "moved": None if found.moved is None else found.moved.model_dump(mode="json"),
            "over": None if found.over is None else found.over.model_dump(mode="json"),
        }

    return router


def _shown(source: Source) -> ScenarioShown:
    scenario = source.scenario
    return ScenarioShown(
        name=scenario.scenario,
        title=scenario.title,
        description=scenario.description or "",
        variants=dict(scenario.variants),
        sources=tuple(scenario.sources.values()),
    )


VIEW: Final = View(
    name="scenarios",
    title="Scenarios",
    summary="What has happened, or could, played day by day: demands, decisions, and what came out.",
    needs=Right.SEE_EVIDENCE,
    routes=routes,
)
