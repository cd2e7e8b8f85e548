"""`blindrelay report`: what a relay's operator tells the public about lawful access, from the case file alone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
from cryptography import x509

from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.moments import MomentType
from blindrelay.cli.output import JSON_OPTION, emit
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.protocol.address import check_jurisdiction
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.desk import canary as canaries
from blindrelay.relay.desk import pages
from blindrelay.relay.desk import report as reports
from blindrelay.relay.desk.identity import DeskIdentity

_FORMATS: Final = ("markdown", "html", "json")
_SUFFIXES: Final = {".md": "markdown", ".html": "html", ".htm": "html", ".json": "json"}
_PACKS: Final = Path(__file__).resolve().parents[1] / "policies" / "packs"

_DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The relay's data directory; the relay may be running, or not.  [default: relay/ in the home]",
)


@click.group(cls=OrderedGroup)
def report() -> None:
    """Tell the public: the transparency report, and the warrant canary.

    Both are made from the case file in the relay's data directory, by its operator, whether the relay is running or not.
    """


@report.command(
    epilog="""\b
Examples:
  blindrelay report transparency --from 2026-01-01 --to 2026-07-01
  blindrelay report transparency --from 2026-01-01 --to 2026-07-01 --out report.html
  blindrelay report transparency --from -180d --to now --format json | jq .requests_by_jurisdiction
"""
)
@click.option("--from", "since", type=MomentType(), required=True, help="The first day.")
@click.option("--to", "until", type=MomentType(), required=True, help="The day after the last.")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="[default: by the name of --out, else markdown]")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file; else stdout.")
@_DATA_DIR
@home_option
def transparency(
    since: datetime, until: datetime, form: str | None, out: Path | None, data_dir: Path | None, home: Path
) -> None:
    """Count what authorities asked for, and what came of it: by jurisdiction, instrument, data class and outcome.

    What may not be told yet is in no cell: it is counted in one band, which is printed whether there is any or not. Small
    numbers of accounts are ranges. No case, account or authority is named.
    """
    if since >= until:
        raise click.UsageError("--from is to be before --to")
    folder = data_dir or relay_directory(home)
    cases, turned_away = reports.read(folder)
    made = reports.make(
        cases,
        turned_away,
        relay=DeskIdentity.open(folder, SystemClock()).id,
        since=since,
        until=until,
        now=datetime.now(UTC),
    )
    chosen = form or (_SUFFIXES.get(out.suffix.lower()) if out else None) or "markdown"
    _write(_rendered(made, chosen), out)


def _rendered(made: reports.Report, form: str) -> str:
    if form == "html":
        return pages.html(made)
    if form == "json":
        return json.dumps(pages.as_json(made), indent=2) + "\n"
    return pages.markdown(made)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    click.echo(f"written to {out}")


def _jurisdictions(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(check_jurisdiction(value) for value in values)
    except Malformed as error:
        raise click.BadParameter(str(error)) from error


@report.command(
    epilog="""\b
Examples:
  blindrelay report canary --out canary.json
  blindrelay report canary --for us --for eu --days 100 --text
"""
)
@click.option(
    "--for",
    "jurisdictions",
    metavar="CC",
    multiple=True,
    callback=_jurisdictions,
    help="A jurisdiction to speak of, several times for several.  [default: those with a policy pack]",
)
@click.option(
    "--days", type=click.IntRange(1, 400), default=canaries.VALID.days, show_default=True, help="How long it holds."
)
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file; else stdout.")
@click.option("--text", is_flag=True, help="The statement in words, without a signature.")
@_DATA_DIR
@home_option
def canary(
    jurisdictions: tuple[str, ...], days: int, out: Path | None, text: bool, data_dir: Path | None, home: Path
) -> None:
    """Sign a warrant canary: of which jurisdictions no request came that forbids to speak of it.

    A jurisdiction of which that cannot be said any more, or may not be said, is left out, without a word about why. Publish a
    new statement before the old one ends; that none comes is a statement, too. Ask a lawyer before the first.
    """
    folder = data_dir or relay_directory(home)
    cases, _ = reports.read(folder)
    identity = DeskIdentity.open(folder, SystemClock())
    made = canaries.statement(
        cases, jurisdictions or _packs(), relay=identity.id, now=datetime.now(UTC), valid=timedelta(days=days)
    )
    words = canaries.text(made)
    _write(words if text else canaries.sign(made, identity.sign).model_dump_json() + "\n", out)


def _packs() -> list[str]:
    return [folder.name for folder in _PACKS.iterdir() if len(folder.name) == 2]


@report.command(
    "verify-canary",
    epilog="""\b
Example:
  blindrelay report verify-canary canary.json --certificate desk.crt
""",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--certificate",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The desk's certificate, PEM: as you got it when you had no reason to doubt it.",
)
@JSON_OPTION
def verify_canary(file: Path, certificate: Path, as_json: bool) -> None:
    """Check a warrant canary that a relay has published: its signature, and that it has not lapsed. Exit code 6 if not."""
    try:
        known = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError as error:
        raise Malformed(f"{certificate} is no certificate in PEM form") from error
    found = canaries.check(canaries.parse(file.read_bytes()), known, datetime.now(UTC))
    record: dict[str, Any] = found.model_dump(mode="json")
    if as_json:
        emit(record)
    else:
        click.echo(canaries.text(found), nl=False)
