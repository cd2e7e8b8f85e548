"""pytest collects scenarios: each `*.scenario.yaml` is a file of tests, each variant of it a test.

`pytest policies/` is all that it takes. `--blindrelay-policies DIR` (may be repeated) runs them with policy packs of your own,
in place of those that the scenarios name. Everything else (`-k`, `-n`, `--junit-xml`) is as for any test.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from blindrelay.policies.scenarios.document import Source
    from blindrelay.proofs.scenarios.results import Result

# What the plugin needs is imported when there is a scenario: pytest loads it in every project, scenarios or not.
_SUFFIX = ".scenario.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option."""
    group = parser.getgroup("blindrelay", "Blindrelay scenarios")
    group.addoption(
        "--blindrelay-policies",
        action="append",
        default=[],
        metavar="DIR",
        help="run *.scenario.yaml with the policy packs in DIR, in place of those that they name",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    """A scenario file is one by its name."""
    if file_path.name.endswith(_SUFFIX):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class ScenarioFailed(Exception):
    """Something was not as it was expected."""

    def __init__(self, result: "Result") -> None:
        super().__init__(result.failure())


class ScenarioFile(pytest.File):
    """A file with a scenario."""

    def collect(self) -> Iterator["ScenarioItem"]:
        """A test for each variant."""
        from blindrelay.policies.scenarios.document import BadScenario, read  # noqa: PLC0415 - see above

        try:
            source = read(self.path)
        except BadScenario as error:
            raise self.CollectError(str(error)) from None
        for variant in source.scenario.runs():
            name = source.scenario.scenario if variant is None else f"{source.scenario.scenario}[{variant}]"
            yield ScenarioItem.from_parent(self, name=name, source=source, variant=variant)


class ScenarioItem(pytest.Item):
    """One run of one variant."""

    def __init__(self, *, source: "Source", variant: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.variant = variant

    def runtest(self) -> None:
        """Play it."""
        from blindrelay.proofs.scenarios.player import play  # noqa: PLC0415 - see above

        folders = [Path(folder).resolve() for folder in self.config.getoption("blindrelay_policies")]
        source = self.source.with_policies(folders) if folders else self.source
        result = asyncio.run(play(source, self.variant))
        self.add_report_section(
            "call", "timeline", "\n".join(f"{entry.at:%Y-%m-%d %H:%M} {entry.title}" for entry in result.entries)
        )
        if not result.passed:
            raise ScenarioFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What went wrong, in its own words; a traceback only for what is no expectation."""
        if isinstance(excinfo.value, ScenarioFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it is."""
        return self.path, 0, f"scenario {self.name}"
