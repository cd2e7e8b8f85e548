"""`blindrelay scenario`."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.scenario import _TEMPLATE
from blindrelay.policies.scenarios import schema
from support.commands import Ran

Run = Callable[..., Ran]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A scenario in which everything is as expected."""
    path = tmp_path / "good.scenario.yaml"
    path.write_text(_TEMPLATE.read_text(encoding="utf-8"))
    return path


@pytest.fixture
def bad(tmp_path: Path, good: Path) -> Path:
    """One in which something is not."""
    path = tmp_path / "bad.scenario.yaml"
    path.write_text(good.read_text().replace("SUBSCRIBER: granted", "SUBSCRIBER: refused"))
    return path


def test_a_new_scenario_runs_as_it_stands(tmp_path: Path, blindrelay: Run) -> None:
    """`new` writes it, with the schema for editors beside it; `run` shows its timeline; nothing of the words in it."""
    path = tmp_path / "My Own!.scenario.yaml"
    written = blindrelay("scenario", "new", path)
    ran = blindrelay("scenario", "run", path)

    assert (written.code, ran.code) == (ExitCode.OK, ExitCode.OK), written.err + ran.out + ran.err
    assert "scenario: my-own\n" in path.read_text()
    assert (tmp_path / "scenario.schema.json").read_bytes() == schema.PUBLISHED.read_bytes()
    for phrase in (
        "✓ my-own",
        "2026-03-10 10:00  The prosecutor asks",
        "alice@acme.example writes",
        "1 of 1 runs passed",
    ):
        assert phrase in ran.out
    assert "The offer ends" not in ran.out


def test_a_new_scenario_replaces_nothing(good: Path, tmp_path: Path, blindrelay: Run) -> None:
    """Nor has it a name that nobody would find."""
    before = good.read_bytes()

    assert blindrelay("scenario", "new", good).code == ExitCode.USAGE
    assert blindrelay("scenario", "new", tmp_path / "mine.yaml").code == ExitCode.USAGE
    assert good.read_bytes() == before
    assert not (tmp_path / "mine.yaml").exists()


def test_what_is_not_as_expected_is_shown_and_is_exit_code_1(
    good: Path, bad: Path, tmp_path: Path, blindrelay: Run
) -> None:
    """With the decision that led to it; in the files for CI, too."""
    junit, html = tmp_path / "results.xml", tmp_path / "results.html"
    ran = blindrelay("scenario", "run", good, bad, "--quiet", "--junit", junit, "--html", html)

    assert ran.code == ExitCode.FAILED
    for phrase in (
        "✗ mine",
        "1 of 2 runs passed",
        "expected: refused",
        "us/us-subpoena-subscriber",
        "bad.scenario.yaml:",
    ):
        assert phrase in ran.out
    assert "2026-03-03" not in ran.out
    assert ElementTree.parse(junit).getroot()[0].get("failures") == "1"
    assert "us/us-subpoena-subscriber" in html.read_text()


def test_json_is_one_object_for_each_run(good: Path, blindrelay: Run) -> None:
    """And nothing else on stdout."""
    ran = blindrelay("scenario", "run", good, "--json")
    (found,) = [json.loads(line) for line in ran.out.splitlines()]

    assert ran.code == ExitCode.OK
    assert (found["scenario"], found["passed"]) == ("mine", True)
    assert len(found["timeline"]) == 4


def test_a_file_that_is_no_scenario_is_exit_code_13(good: Path, tmp_path: Path, blindrelay: Run) -> None:
    """File, line, key and a sentence; nothing is run."""
    path = tmp_path / "wrong.scenario.yaml"
    path.write_text(good.read_text().replace("title:", "titel:"))
    ran = blindrelay("scenario", "run", good, path)

    assert ran.code == ExitCode.MALFORMED
    assert "wrong.scenario.yaml:5: titel: there is no such key here" in ran.err
    assert ran.out == ""


def test_policies_that_do_not_load_are_said_to_be_so(good: Path, tmp_path: Path, blindrelay: Run) -> None:
    """They are somebody's file with a mistake, and no run that failed."""
    pack = tmp_path / "packs" / "us"
    pack.mkdir(parents=True)
    (pack / "manifest.yaml").write_text("jurisdiction: us\n")
    ran = blindrelay("scenario", "run", good, "--policies", tmp_path / "packs", "--quiet")

    assert ran.code == ExitCode.FAILED
    assert "manifest.yaml" in ran.out


def test_a_variant_that_there_is_not_is_a_mistake(good: Path, blindrelay: Run) -> None:
    """Instead of a run of nothing that passes."""
    assert blindrelay("scenario", "run", good, "--variant", "other").code == ExitCode.USAGE


def test_the_list_has_everything_that_comes_along(blindrelay: Run) -> None:
    """With variants; for people and for programs."""
    ran = blindrelay("scenario", "list", "--json")
    found = {one["scenario"]: one for one in map(json.loads, ran.out.splitlines())}

    assert set(found["pakistan-2015"]["variants"]) == {"as-it-happened", "the-shutdown"}
    assert "pakistan-2015" in blindrelay("scenario", "list").out
