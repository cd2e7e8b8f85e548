"""The plugin: pytest collects scenarios, runs each variant, and shows what was not as expected instead of a traceback."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TEMPLATE = (Path(__file__).parents[3] / "cli" / "new.scenario.yaml").read_text(encoding="utf-8")
VARIANTS = TEMPLATE.replace("tenants:\n", "variants: {one: The one, two: The other}\ntenants:\n", 1)
PLUGIN = "blindrelay.proofs.scenarios.pytest_plugin"
#: pytest finds the plugin by its entry point, unless the installation is older than that.
NAMED = [] if any(one.value == PLUGIN for one in entry_points(group="pytest11")) else ["-p", PLUGIN]


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """pytest, in a process of its own and in a folder with no configuration."""
    return pytester.runpytest_subprocess(*NAMED, "-p", "no:cacheprovider", "-p", "no:xdist", *arguments)


def test_each_variant_is_a_test(pytester: pytest.Pytester) -> None:
    """In any directory, without any Python."""
    (pytester.path / "deep").mkdir()
    (pytester.path / "deep" / "mine.scenario.yaml").write_text(VARIANTS)
    (pytester.path / "other.yaml").write_text("no: scenario")
    result = run(pytester, "--collect-only", "-q")

    result.stdout.fnmatch_lines(["deep/mine.scenario.yaml::mine[[]one[]]", "deep/mine.scenario.yaml::mine[[]two[]]"])
    result.stdout.no_fnmatch_line("*other.yaml*")


def test_a_scenario_passes_and_fails_as_a_test(pytester: pytest.Pytester) -> None:
    """With expectation, finding and decision, and no traceback."""
    (pytester.path / "good.scenario.yaml").write_text(TEMPLATE)
    (pytester.path / "bad.scenario.yaml").write_text(
        TEMPLATE.replace("scenario: mine", "scenario: bad").replace("SUBSCRIBER: granted", "SUBSCRIBER: refused")
    )
    result = run(pytester)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*bad.scenario.yaml:*: 2026-03-10 10:00: The prosecutor asks*",
            "*decisions.first/alice.SUBSCRIBER.outcome",
            "*expected: refused",
            "*found: *granted",
            "*us/us-subpoena-subscriber*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_file_that_is_no_scenario_is_an_error_with_its_line(pytester: pytest.Pytester) -> None:
    """And the others are run all the same."""
    (pytester.path / "bad.scenario.yaml").write_text(TEMPLATE.replace("title:", "titel:"))
    result = run(pytester)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*bad.scenario.yaml:5: titel: there is no such key here"])


def test_your_own_policies_take_the_place_of_those_that_are_named(pytester: pytest.Pytester) -> None:
    """A folder in which there is no pack is an error in words."""
    (pytester.path / "mine.scenario.yaml").write_text(TEMPLATE)
    (pytester.path / "packs").mkdir()
    (pytester.path / "packs" / "us").mkdir()
    (pytester.path / "packs" / "us" / "manifest.yaml").write_text("jurisdiction: us\n")
    result = run(pytester, "--blindrelay-policies", "packs")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*manifest.yaml*"])
