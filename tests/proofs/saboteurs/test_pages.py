"""The kill matrix that is shown: page and README are made of the results' file, and that is of the catalogue."""

from pathlib import Path

import pytest

from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.saboteurs import pages, quick
from blindrelay.proofs.saboteurs.catalogue import find, names
from blindrelay.proofs.saboteurs.results import Killed, KillMatrix
from blindrelay.proofs.shipped import KILL_MATRIX

ROOT = Path(__file__).parents[3]
MATRIX = KillMatrix.read(KILL_MATRIX)
RUN = "run it: blindrelay sabotage matrix {} --out proofs/kill-matrix.json"
PAGES = "make it anew: python -m blindrelay.proofs.saboteurs.pages"


def test_every_saboteur_was_run() -> None:
    """As it is now: whoever changes what finds it runs it again."""
    listed = {each.saboteur for each in MATRIX.saboteurs}
    assert listed == set(names()), RUN.format(" ".join(listed ^ set(names())))
    for each in MATRIX.saboteurs:
        saboteur = find(each.saboteur)
        assert (each.title, each.lock, each.modelled_on, each.must) == (
            saboteur.title,
            saboteur.lock.value,
            saboteur.modelled_on,
            sorted(saboteur.caught_by),
        ), RUN.format(each.saboteur)


def test_every_saboteur_was_caught() -> None:
    """For a reason that was named beforehand."""
    for each in MATRIX.saboteurs:
        assert each.caught, each.saboteur
        assert (each.by, each.reason) in each.must
        assert each.said


def test_nothing_was_found_in_the_honest_system() -> None:
    """In none of the ways in which a saboteur was run."""
    assert MATRIX.honest
    assert [each for each in MATRIX.honest if each.found] == []


def test_the_checks_are_those_that_there_are() -> None:
    """With the reasons that saboteurs have to be found for; what else they can find is brought up to date with the pages."""
    listed = {check.check: check.reasons for check in MATRIX.checks}

    assert list(listed) == list(checks.NAMES), PAGES
    assert {
        reason for each in MATRIX.saboteurs for check, reason in each.must if reason not in listed[check]
    } == set(), PAGES


def test_the_page_says_what_the_file_says() -> None:
    """`python -m blindrelay.proofs.saboteurs.pages` makes it anew."""
    assert (ROOT / "docs" / "reference" / "kill-matrix.md").read_text("utf-8") == pages.page(MATRIX), PAGES


def test_the_readme_says_what_the_file_says() -> None:
    """The same command makes its table anew."""
    readme = (ROOT / "README.md").read_text("utf-8")

    assert pages.with_table(readme, MATRIX) == readme, PAGES


def test_the_page_names_every_saboteur_and_what_was_said() -> None:
    """Each in a line of its lock, and in one of the matrix."""
    page = pages.page(MATRIX)

    for name in names():
        assert page.count(f"\n| `{name}` |") == 2


def test_the_short_form_is_of_those_that_differ_most() -> None:
    """A line each."""
    lines = pages.short(MATRIX).splitlines()

    assert len([line for line in lines if line.startswith("|")]) == 2 + len(quick.FIRST)


def test_words_of_a_check_are_no_markup() -> None:
    """They may be anything: a package's bytes, a name that somebody has chosen."""
    killed = MATRIX.saboteurs[0].model_copy(update={"said": "a | b <script> `c` [d](e)\nf"})

    page = pages.page(MATRIX.model_copy(update={"saboteurs": [killed]}))

    assert r"a \| b \<script\> \`c\` \[d\](e) f |" in page


def test_a_saboteur_that_nobody_caught_is_shown_as_that() -> None:
    """With why it could not be run."""
    killed = Killed.model_validate(
        MATRIX.saboteurs[0].model_dump() | {"caught": False, "by": None, "said": None, "error": "no relay"}
    )

    page = pages.page(MATRIX.model_copy(update={"saboteurs": [killed]}))

    assert "**0 of 1** saboteurs are caught" in page
    assert "| **nobody** |" in page
    assert "| no relay |" in page


def test_a_readme_without_a_place_for_it_is_left_alone() -> None:
    """And whoever makes the table is told."""
    with pytest.raises(ValueError, match="the README has no place for the kill matrix"):
        pages.with_table("# Blindrelay\n", MATRIX)
