"""What one decision costs: Cedar's policies and the engine's own checks, about one demand for one kind of record."""

import asyncio
from collections.abc import Iterator
from time import perf_counter_ns
from typing import Final

from benchmarks.report import Measurement, Report
from benchmarks.world import World
from blindrelay.policies.decision import Facts
from blindrelay.policies.engine import decide
from blindrelay.policies.hypothesis import favourable, pose
from blindrelay.policies.locations import pack_folders
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import DataDemand, LawfulRequest
from blindrelay.policies.vocabulary import DataClass

AIM: Final = 0.001
ROUNDS: Final = 20


async def decisions(world: World, report: Report) -> None:
    """Each instrument of every pack, by each of its issuers, asking for each data class on its own; policies loaded before."""
    report.add(await asyncio.to_thread(_measured))


def _measured() -> Measurement:
    policies = Policies.load(pack_folders())
    matters = list(_matters(policies))
    for matter in matters:
        decide(*matter, policies)
    took = sorted(_seconds(matter, policies) for _ in range(ROUNDS) for matter in matters)
    p99 = took[len(took) * 99 // 100]
    return Measurement(
        f"{len(took):,} decisions, {len(matters)} different",
        {"ms p50": round(took[len(took) // 2] * 1e3, 3), "ms p99": round(p99 * 1e3, 3)},
        f"p99 < {AIM * 1e3:.0f} ms",
        p99 < AIM,
    )


def _seconds(matter: tuple[LawfulRequest, Facts], policies: Policies) -> float:
    start = perf_counter_ns()
    decide(*matter, policies)
    return (perf_counter_ns() - start) / 1e9


def _matters(policies: Policies) -> Iterator[tuple[LawfulRequest, Facts]]:
    for pack in policies.packs.values():
        for instrument in pack.manifest.instruments:
            for issuer in instrument.issuers:
                request, facts = pose(pack, favourable(pack, instrument, issuer))
                demand = next(each for each in request.demands if isinstance(each, DataDemand))
                for data_class in DataClass:
                    asked = demand.model_copy(update={"classes": frozenset({data_class})})
                    yield request.model_copy(update={"demands": (asked,)}), facts
