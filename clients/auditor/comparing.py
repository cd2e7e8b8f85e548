"""A relay's transparency report beside its log: every figure that the log has, compared."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blindrelay.clients.auditor.accounting import Account, Figures, by_instrument, by_what, hours, most
from blindrelay.policies.leaves import Accounts
from blindrelay.protocol.errors import Malformed

# Times are to the second in the log and exact in the report; both are rounded to a tenth.
_HOURS: Final = 0.11
_Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InstrumentLine(_Part):
    """The requests under one instrument."""

    jurisdiction: str
    instrument: str
    requests: _Count
    emergencies: _Count
    open: _Count
    accounts_specified: Accounts
    accounts_disclosed: Accounts
    outcomes: dict[str, _Count]
    grounds: dict[str, _Count]
    median_hours: float | None


class AskedLine(_Part):
    """What came of one thing that was asked for."""

    jurisdiction: str
    what: str
    outcomes: dict[str, _Count]


class ClaimedReport(_Part):
    """A transparency report as a relay publishes it, in JSON."""

    version: Literal["blindrelay-transparency-report-1"]
    relay: str
    since: Annotated[datetime, Field(alias="from")]
    until: datetime
    made_at: datetime
    requests: _Count
    requests_by_jurisdiction: dict[str, _Count]
    requests_not_told: Accounts
    turned_away: _Count
    accounts_disclosed: Accounts
    median_hours: float | None
    instruments: tuple[InstrumentLine, ...]
    asked: tuple[AskedLine, ...]

    @classmethod
    def parse(cls, data: bytes) -> "ClaimedReport":
        """Raises `Malformed`."""
        try:
            report = cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Malformed(f"not a transparency report of a relay: {place}: {first['msg']}") from None
        if any(moment.astimezone(UTC).time() != time() for moment in (report.since, report.until)):
            raise Malformed("the report's period does not begin and end with a day (UTC), and the log has days")
        return report


def compare(report: ClaimedReport, account: Account) -> Iterator[str]:
    """A sentence for each figure that is not that of the log."""
    cases = account.within(_day(report.since), _day(report.until))
    yield from _differing("requests", report.requests, len(cases))
    yield from _compare_instruments(report, by_instrument(cases))
    yield from _compare_asked(report, by_what(cases))
    yield from _compare_hours("median_hours", report.median_hours, hours(cases))
    yield from _compare_accounts(
        "accounts_disclosed", report.accounts_disclosed, most(case.disclosed for case in cases)
    )
    if report.requests_not_told.at_least > account.untold:
        yield (
            f"requests_not_told: the report says at least {report.requests_not_told.at_least}, and the log has "
            f"{account.untold} entries that nobody has been told of"
        )


def _compare_instruments(report: ClaimedReport, logged: Mapping[tuple[str, str], Figures]) -> Iterator[str]:
    claimed = {(line.jurisdiction, line.instrument): line for line in report.instruments}
    for key in sorted(claimed.keys() | logged.keys()):
        line, figures, name = claimed.get(key), logged.get(key), key[1]
        if line is None or figures is None:
            where = "the log, and not in the report" if line is None else "the report, and not in the log"
            yield f"{name}: it is in {where}"
            continue
        for field in ("requests", "emergencies", "open", "outcomes", "grounds"):
            yield from _differing(f"{name}, {field}", getattr(line, field), getattr(figures, field))
        yield from _compare_hours(f"{name}, median_hours", line.median_hours, figures.median_hours)
        yield from _compare_accounts(f"{name}, accounts_specified", line.accounts_specified, figures.specified)
        yield from _compare_accounts(f"{name}, accounts_disclosed", line.accounts_disclosed, figures.disclosed)


def _compare_asked(report: ClaimedReport, logged: Mapping[tuple[str, str], Mapping[str, int]]) -> Iterator[str]:
    claimed = {(line.jurisdiction, line.what): line.outcomes for line in report.asked}
    for key in sorted(claimed.keys() | logged.keys()):
        yield from _differing(f"{key[0]}, {key[1]}", claimed.get(key, {}), logged.get(key, {}))


def _compare_hours(name: str, claimed: float | None, logged: float | None) -> Iterator[str]:
    if (claimed is None) != (logged is None) or abs((claimed or 0) - (logged or 0)) > _HOURS:
        yield f"{name}: the report says {claimed}, the log {logged}"


def _compare_accounts(name: str, claimed: Accounts, logged: Accounts) -> Iterator[str]:
    if claimed.at_least > logged.at_most or claimed.at_most < logged.at_least:
        yield f"{name}: the report says {_band(claimed)}, the log {_band(logged)}"


def _differing(name: str, claimed: Any, logged: Any) -> Iterator[str]:
    if claimed != logged:
        yield f"{name}: the report says {_text(claimed)}, the log {_text(logged)}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "nothing"
    return str(value)


def _band(accounts: Accounts) -> str:
    low, high = accounts.at_least, accounts.at_most
    return str(low) if low == high else f"{low} to {high}"


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
