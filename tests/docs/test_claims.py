"""What the pages promise names the checks that hold it: each file and each test that they name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs" / "explanation").glob("*.md"))]
FILES = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
TESTS = {name for text in FILES.values() for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_check_that_a_page_names_is_there(page: Path) -> None:
    """Files and folders by their path, tests by their name."""
    text = page.read_text()
    paths = re.findall(r"`((?:tests|proofs|policies|relay|clients|protocol|docs|examples)/[\w./-]*)`", text)
    tests = re.findall(r"`(test_\w+)`", text)

    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [test for test in tests if test not in TESTS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Relative links, to files and folders of the project."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_pages_name_checks() -> None:
    """The walk above is no walk over nothing."""
    assert "test_nothing_leaves_without_two_persons" in TESTS
    assert "`tests/" in (ROOT / "SECURITY.md").read_text()
