"""Results for programs and for people: JSON, JUnit XML, and one HTML file without anything from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from jinja2 import Environment, FileSystemLoader, select_autoescape

from blindrelay.proofs.scenarios.comparison import words
from blindrelay.proofs.scenarios.results import Entry, Finding, Result

_TEMPLATES: Final = Path(__file__).parent
# What XML 1.0 has no way to write (2.2); what a relay says holds none of it, and a report must not break if it did.
_NOT_XML: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF), "\N{REPLACEMENT CHARACTER}")


def as_json(result: Result) -> dict[str, Any]:
    """A result as JSON has it."""
    return {
        "scenario": result.scenario,
        "variant": result.variant,
        "title": result.title,
        "reference": result.reference,
        "file": str(result.path),
        "passed": result.passed,
        "checked": result.checked,
        "searched_bytes": result.searched,
        "seconds": round(result.seconds, 3),
        "error": result.error,
        "timeline": [_entry(entry) for entry in result.entries],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": words(entry.at),
        "title": entry.title,
        "details": list(entry.details),
        "sources": list(entry.sources),
        "line": entry.line or None,
        "checked": entry.checked,
        "findings": [_finding(finding) for finding in entry.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "where": finding.where,
        "expected": finding.expected,
        "found": finding.found,
        "trace": list(finding.trace),
    }


def junit(results: Sequence[Result]) -> str:
    """JUnit's XML, as CI systems read it: a suite, a case for each run."""
    failed, errors = (sum(bool(part(one)) for one in results) for part in (_is_failure, _is_error))
    suite = ElementTree.Element(
        "testsuite",
        name="blindrelay scenarios",
        tests=str(len(results)),
        failures=str(failed),
        errors=str(errors),
        time=f"{sum(one.seconds for one in results):.3f}",
    )
    for one in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=one.scenario, name=one.name, file=str(one.path), time=f"{one.seconds:.3f}"
        )
        if _is_error(one):
            ElementTree.SubElement(case, "error", message=_xml(one.error or "")).text = _xml(one.failure())
        elif _is_failure(one):
            message = f"{len(one.findings)} of {one.checked} expectations did not hold"
            ElementTree.SubElement(case, "failure", message=message).text = _xml(one.failure())
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _is_error(result: Result) -> bool:
    return result.error is not None


def _is_failure(result: Result) -> bool:
    return result.error is None and bool(result.findings)


def _xml(text: str) -> str:
    return text.translate(_NOT_XML)


def html(results: Sequence[Result]) -> str:
    """A page that stands alone: no script, no font, no picture from elsewhere."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=select_autoescape(["j2"], default=True), trim_blocks=True
    )
    environment.filters["words"] = words
    return environment.get_template("report.html.j2").render(results=results)
