"""`blindrelay report`: from the case file, for the public."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.clerks import Office, Outside, Script, still_clock
from support.commands import Ran


@pytest.fixture
def folder(home: Path) -> Path:
    """The data directory of a relay that has stopped, with the case file of a desk to which nobody has written."""
    folder = home / "relay"
    folder.mkdir(parents=True)
    Office(folder, still_clock(), Script(), Outside()).found()
    return folder


PERIOD = ("--from", "2026-01-01", "--to", "2026-07-01")


def test_without_requests_there_is_a_report(folder: Path, blindrelay: Callable[..., Ran]) -> None:
    """That nobody asked is worth saying; the band is there all the same."""
    ran = blindrelay("report", "transparency", *PERIOD)

    assert ran.code == 0
    assert "# Transparency report, 2026-01-01 to 2026-07-01" in ran.out
    assert "0-249" in ran.out


def test_the_name_of_the_file_says_its_form(folder: Path, tmp_path: Path, blindrelay: Callable[..., Ran]) -> None:
    """`.html`, `.json` and `.md`; `--format` counts more."""
    for name, beginning in (("r.html", "<!DOCTYPE html>"), ("r.json", "{"), ("r.md", "# Trans"), ("r.txt", "# Trans")):
        assert blindrelay("report", "transparency", *PERIOD, "--out", tmp_path / name).code == 0
        assert (tmp_path / name).read_text().startswith(beginning)
    chosen = tmp_path / "chosen.html"
    blindrelay("report", "transparency", *PERIOD, "--format", "json", "--out", chosen)
    assert json.loads(chosen.read_text())["requests"] == 0


def test_a_period_runs_forward(folder: Path, blindrelay: Callable[..., Ran]) -> None:
    """A report of no time at all is a mistake."""
    ran = blindrelay("report", "transparency", "--from", "2026-07-01", "--to", "2026-07-01")

    assert ran.code == 2
    assert "before" in ran.err


def test_where_there_is_no_case_file(home: Path, blindrelay: Callable[..., Ran]) -> None:
    """The sentence says what is missing, and nothing is made: above all no key."""
    (home / "relay").mkdir(parents=True)
    for arguments in (("transparency", *PERIOD), ("canary",)):
        ran = blindrelay("report", *arguments)
        assert ran.code == 66
        assert "lawful desk" in ran.err
    assert list((home / "relay").iterdir()) == []


def test_a_canary_and_its_check(folder: Path, tmp_path: Path, blindrelay: Callable[..., Ran]) -> None:
    """What the relay signs, its certificate verifies; the United Kingdom is not named though it has a pack."""
    file = tmp_path / "canary.json"
    assert blindrelay("report", "canary", "--out", file).code == 0
    ran = blindrelay("report", "verify-canary", file, "--certificate", folder / "desk.crt", "--json")

    named = json.loads(ran.out)["jurisdictions"]
    assert {"us", "eu", "pk"} <= set(named)
    assert "uk" not in named


def test_a_canary_that_was_changed(folder: Path, tmp_path: Path, blindrelay: Callable[..., Ran]) -> None:
    """Exit code 6: a check failed."""
    file = tmp_path / "canary.json"
    blindrelay("report", "canary", "--for", "us", "--out", file)
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"signature": record["signature"][:-6] + "AAAAAA"}))

    ran = blindrelay("report", "verify-canary", file, "--certificate", folder / "desk.crt")

    assert ran.code in {6, 13}
    assert ran.out == ""


def test_a_canary_in_words(folder: Path, blindrelay: Callable[..., Ran]) -> None:
    """For a web page."""
    ran = blindrelay("report", "canary", "--for", "us", "--text")

    assert "**us**" in ran.out
    assert blindrelay("report", "canary", "--for", "USA").code == 2
