"""The transparency report as Markdown, as a page that stands alone, and as JSON. The figures are `report`'s."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from blindrelay.policies.vocabulary import Outcome
from blindrelay.relay.desk.report import SILENT_BAND, Asked, Band, Line, Report

_TEMPLATES: Final = Path(__file__).parent / "templates"
# Colours that are told apart in print and by people who do not see red and green apart (Okabe and Ito, 2008). Each bar has its
# number and its word beside it: no meaning is in the colour alone.
_COLOURS: Final[Mapping[Outcome, str]] = {
    Outcome.GRANTED: "#009e73",
    Outcome.NARROWED: "#56b4e9",
    Outcome.PRESERVED: "#0072b2",
    Outcome.REFUSED: "#d55e00",
    Outcome.REDIRECTED: "#cc79a7",
    Outcome.HELD: "#f0e442",
    Outcome.EXPIRED: "#999999",
    Outcome.WITHDRAWN: "#bbbbbb",
    Outcome.FRAUD_SUSPECTED: "#000000",
}
#: Of a chart, in units of its SVG.
_WIDTH: Final = 560.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a bar."""

    x: float
    width: float
    colour: str
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart: its name, its pieces, its number."""

    name: str
    segments: tuple[Segment, ...]
    count: int


def markdown(report: Report) -> str:
    """The report in Markdown. Nothing in it is anybody's free text: identifiers, words of the vocabulary, numbers."""
    return _environment().get_template("report.md.j2").render(**_context(report))


def html(report: Report) -> str:
    """The report as a page: no script, no font, no picture from elsewhere."""
    environment = _environment()
    reading = environment.get_template("reading.txt.j2").render(**_context(report))
    return environment.get_template("report.html.j2").render(
        **_context(report),
        reading=[line.removeprefix("- ") for line in reading.splitlines()],
        outcomes_chart=outcome_bars(report),
        classes_chart=class_bars(report),
        legend=[(outcome.value, _COLOURS[outcome]) for outcome in report.outcomes()],
        width=_WIDTH,
    )


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "version": "blindrelay-transparency-report-1",
        "relay": report.relay,
        "from": report.since.isoformat(),
        "until": report.until.isoformat(),
        "made_at": report.made_at.isoformat(),
        "requests": report.requests,
        "requests_by_jurisdiction": report.by_jurisdiction(),
        "requests_not_told": _band(report.silent),
        "turned_away": report.turned_away,
        "accounts_disclosed": _band(report.released),
        "median_hours": report.median_hours,
        "instruments": [_line(line) for line in report.lines],
        "asked": [_asked(asked) for asked in report.asked],
    }


def outcome_bars(report: Report) -> list[Bar]:
    """What came of demands, a bar for each jurisdiction."""
    return _bars([(name, report.outcomes(name)) for name in report.by_jurisdiction()])


def class_bars(report: Report) -> list[Bar]:
    """What came of each data class, all jurisdictions together."""
    totals: dict[str, dict[Outcome, int]] = {}
    for asked in report.asked:
        counts = totals.setdefault(asked.what, {})
        for outcome, count in asked.outcomes.items():
            counts[outcome] = counts.get(outcome, 0) + count
    return _bars(list(totals.items()))


def _bars(rows: list[tuple[str, dict[Outcome, int]]]) -> list[Bar]:
    most = max((sum(counts.values()) for _, counts in rows), default=0)
    return [Bar(name, _segments(counts, most), sum(counts.values())) for name, counts in rows]


def _segments(counts: Mapping[Outcome, int], most: int) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    x = 0.0
    for outcome in (each for each in Outcome if counts.get(each)):
        width = _WIDTH * counts[outcome] / most
        segments.append(Segment(round(x, 2), round(width, 2), _COLOURS[outcome], f"{outcome.value}: {counts[outcome]}"))
        x += width
    return tuple(segments)


def _context(report: Report) -> dict[str, Any]:
    return {"report": report, "silent_band": SILENT_BAND}


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(day=_day, tally=_tally, hours=_hours)
    return environment


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _tally(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name.value} {count}" for name, count in counts.items()) or "-"


def _hours(value: float | None) -> str:
    return "-" if value is None else f"{value:g} h"


def _band(band: Band) -> dict[str, int]:
    return {"at_least": band.at_least, "at_most": band.at_most}


def _line(line: Line) -> dict[str, Any]:
    return {
        "jurisdiction": line.jurisdiction,
        "instrument": line.instrument,
        "requests": line.requests,
        "emergencies": line.emergencies,
        "open": line.open,
        "accounts_specified": _band(line.accounts_specified),
        "accounts_disclosed": _band(line.accounts_disclosed),
        "outcomes": {outcome.value: count for outcome, count in line.outcomes.items()},
        "grounds": {ground.value: count for ground, count in line.grounds.items()},
        "median_hours": line.median_hours,
    }


def _asked(asked: Asked) -> dict[str, Any]:
    outcomes = {outcome.value: count for outcome, count in asked.outcomes.items()}
    return {"jurisdiction": asked.jurisdiction, "what": asked.what, "outcomes": outcomes}
