"""What checks promise, sentence by sentence: all of their reasons, code that there is, and saboteurs or why there is none."""

from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.checks.promises import PROMISES, WITHOUT
from blindrelay.proofs.saboteurs import checks_page
from blindrelay.proofs.saboteurs.catalogue import every

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "checks.md"


def test_the_page_is_made_of_the_code() -> None:
    """Whoever changes a sentence makes the page anew."""
    expected = checks_page.page(every())
    assert PAGE.read_text("utf-8") == expected, "make it anew: python -m blindrelay.proofs.saboteurs.pages"


def test_every_check_has_its_sentences() -> None:
    """In the order in which checks are shown."""
    assert set(PROMISES) == set(checks.NAMES)


@pytest.mark.parametrize("check", checks.NAMES)
def test_every_reason_breaks_one_sentence(check: str) -> None:
    """What a check can find is a sentence that it holds, and no sentence has a reason that there is not."""
    said = Counter(reason for promise in PROMISES[check] for reason in promise.reasons)

    assert set(said) == set(checks.find(check).reasons)
    assert [reason for reason, count in said.items() if count > 1] == []


@pytest.mark.parametrize(
    "place", sorted({place for promises in PROMISES.values() for promise in promises for place in promise.code})
)
def test_the_code_is_there(place: str) -> None:
    """By the name that the page has."""
    module, _, name = place.partition(":")
    found = import_module(f"blindrelay.proofs.{module}")
    for part in filter(None, name.split(".")):
        found = getattr(found, part)


def test_every_reason_has_a_saboteur_or_says_why_not() -> None:
    """And none says why not that has one."""
    must = {pair for saboteur in every() for pair in saboteur.caught_by}
    reasons = {(check.name, reason) for check in checks.every() for reason in check.reasons}

    assert reasons - must == set(WITHOUT)
