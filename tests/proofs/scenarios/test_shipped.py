"""Every scenario that comes along passes, in every variant."""

from pathlib import Path

import pytest

from blindrelay.policies.scenarios.document import Source, find, read
from blindrelay.proofs.scenarios.player import play

ROOT = Path(__file__).parents[3] / "policies"
SOURCES = [read(path) for path in find([ROOT])]
RUNS = [(source, variant) for source in SOURCES for variant in source.scenario.runs()]


@pytest.mark.parametrize(
    ("source", "variant"), RUNS, ids=[f"{source.scenario.scenario}-{variant or 'only'}" for source, variant in RUNS]
)
async def test_a_shipped_scenario_passes(source: Source, variant: str | None) -> None:
    """Against a whole relay, with real devices and real encryption."""
    result = await play(source, variant)

    assert result.passed, result.failure()
    assert result.checked


def test_every_row_of_the_reference_has_its_scenario() -> None:
    """S1 to S18, each once, with names that differ; the file is named after its scenario."""
    references = [source.scenario.reference for source in SOURCES]

    assert sorted(references, key=lambda one: int(str(one)[1:])) == [f"S{number}" for number in range(1, 19)]
    assert [source.path.name for source in SOURCES] == [
        f"{source.scenario.scenario}.scenario.yaml" for source in SOURCES
    ]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.scenario.scenario)
def test_a_shipped_scenario_says_where_its_facts_come_from(source: Source) -> None:
    """Every source that it lists is named by a step, and there is one; editors find the schema."""
    named = {key for step in source.scenario.steps for key in step.sources}
    first = source.path.read_text(encoding="utf-8").splitlines()[0]

    assert named
    assert set(source.scenario.sources) == named
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (source.path.parent / schema).resolve() == ROOT / "scenarios" / "scenario.schema.json"
