"""Results as JSON, JUnit and HTML: whole, well-formed, and harmless whatever is in them."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from blindrelay.proofs.scenarios import reports
from blindrelay.proofs.scenarios.results import Entry, Finding, Result

AT = datetime(2015, 7, 22, 10, tzinfo=UTC)
NASTY = 'a <script>alert("1")</script> & \x00\x1b[31m ]]>'
FINDING = Finding("decisions.first/data.outcome", "granted", NASTY, ("us/us-d-order [S]: why", NASTY))


def result(*findings: Finding, error: str | None = None, variant: str | None = None) -> Result:
    """A run with one step."""
    entry = Entry(AT, NASTY, (NASTY,), ("a source",), 12, 3, findings)
    return Result(
        Path("x.scenario.yaml"), "small", NASTY, variant, "The other" if variant else None, "S1", (entry,), error
    )


GOOD, BAD = result(), result(FINDING, variant="two")
BROKEN = result(error=f"it could not be played: {NASTY}")


def test_a_run_passes_when_it_came_to_its_end_and_nothing_was_found() -> None:
    """Anything else does not."""
    assert [one.passed for one in (GOOD, BAD, BROKEN)] == [True, False, False]
    assert [one.name for one in (GOOD, BAD)] == ["small", "small[two]"]
    assert GOOD.failure() == ""


def test_a_failure_names_file_line_and_moment() -> None:
    """A trace that several findings have in common is shown once."""
    told = result(FINDING, FINDING).failure()

    assert told.startswith("x.scenario.yaml:12: 2015-07-22 10:00: ")
    assert told.count("decisions.first/data.outcome") == 2
    assert told.count("us/us-d-order [S]: why") == 1


def test_json_holds_everything() -> None:
    """And is JSON."""
    found = json.loads(json.dumps(reports.as_json(BAD)))

    assert (found["passed"], found["variant"], found["checked"]) == (False, "two", 3)
    (entry,) = found["timeline"]
    assert (entry["at"], entry["line"]) == ("2015-07-22T10:00:00Z", 12)
    assert entry["findings"] == [
        {"where": FINDING.where, "expected": "granted", "found": NASTY, "trace": list(FINDING.trace)}
    ]


def test_junit_counts_failures_and_errors_apart() -> None:
    """It is well-formed XML, with whatever in it."""
    root = ElementTree.fromstring(reports.junit([GOOD, BAD, BROKEN]))
    suite = root[0]

    assert {key: suite.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    assert [[part.tag for part in case] for case in suite] == [[], ["failure"], ["error"]]
    assert "expected: granted" in (suite[1][0].text or "")


class _Page(HTMLParser):
    """Collects tags, and where links and pictures point to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name in {"href", "src"}]


def test_html_stands_alone() -> None:
    """No script, nothing from elsewhere, and words of others are words."""
    page = _Page()
    text = reports.html([GOOD, BAD, BROKEN])
    page.feed(text)

    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert page.targets == ["#small", "#small[two]", "#small"]
    assert "&lt;script&gt;" in text
    assert "1 of 3 runs passed" in text


@pytest.mark.parametrize(
    "part", ["decisions.first/data.outcome", "us/us-d-order [S]: why", "a source", "2015-07-22 10:00"]
)
def test_html_shows_what_was_found(part: str) -> None:
    """Expectation, trace, source, moment."""
    assert part in reports.html([BAD])
