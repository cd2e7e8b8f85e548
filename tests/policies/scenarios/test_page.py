"""The reference page says what the model says."""

from pathlib import Path

from blindrelay.policies.scenarios import page
from blindrelay.policies.scenarios.model import Scenario
from blindrelay.policies.scenarios.words import Piece

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "scenario-format.md"


def test_the_page_is_the_model() -> None:
    """`python -m blindrelay.policies.scenarios.page > docs/reference/scenario-format.md` after a change."""
    assert PAGE.read_text(encoding="utf-8") == page.render()


def test_every_part_of_a_scenario_has_its_section() -> None:
    """Whatever may stand in a file is explained."""
    sections = {model for _, model in page._SECTIONS}
    parts = {model for model in _below(Piece) if not model.__module__.endswith("words")}

    assert parts == sections
    assert Scenario in sections


def _below(model: type[Piece]) -> set[type[Piece]]:
    return {found for below in model.__subclasses__() for found in {below, *_below(below)}}
