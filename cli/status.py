"""`blindrelay status`: how a relay that runs is doing."""

import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import click
from pydantic import ValidationError
from rich.table import Table

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.output import JSON_OPTION, complain, console
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.operations.report import Commits, LogState, Report

# It looks at its store, and answers after two seconds at the latest.
_TIMEOUT = 10.0
_MAX_ANSWER = 1 << 20
# Of cosignatures: longer than they are renewed by default, twice. Seconds.
_OLD = 1_500


@click.command(
    epilog="""\b
Examples:
  blindrelay status
  blindrelay status --json | jq .accepted
  blindrelay status --url http://10.0.0.7:8886      a node on another machine, if its endpoint listens there
  watch -n 5 blindrelay status

\b
The exit code is 0 if the relay serves clients, 18 if it answers and is not well, 4 if it does not answer.
""",
)
@home_option
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BLINDRELAY_DATA_DIR",
    help="The data directory of a relay on this machine.  [default: relay/ in the home]",
)
@click.option("--url", help="Its operations endpoint, instead of the one that the data directory names.")
@JSON_OPTION
def status(home: Path, data_dir: Path | None, url: str | None, as_json: bool) -> int:
    """Ask a relay that runs how it is: connections, queue, commits, store, retention, public logs.

    It is asked at its operations endpoint, which shows numbers over everybody and nothing about anybody.
    """
    try:
        where = url or _endpoint(data_dir or relay_directory(home))
        answer = _get(f"{where.rstrip('/')}/status")
        found = Report.model_validate_json(answer)
    except (OSError, Malformed, ValidationError, ValueError) as error:
        complain(f"no relay answers: {_why(error)}")
        return ExitCode.RELAY_UNREACHABLE
    if as_json:
        click.echo(answer)
    else:
        console().print(_table(found))
    wrong = list(_wrong(found))
    for sentence in wrong:
        complain(sentence)
    return ExitCode.UNHEALTHY if wrong else ExitCode.OK


def _endpoint(folder: Path) -> str:
    try:
        endpoint = Endpoint.read(folder / FILE_NAME)
    except FileNotFoundError as error:
        raise Malformed(
            f"none runs on {folder}; start one with `blindrelay up`, or name another with --data-dir"
        ) from error
    if endpoint.operations is None:
        raise Malformed(f"the relay on {folder} has no operations endpoint: see `enabled` below [operations]")
    return endpoint.operations


def _get(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise Malformed(f"{url[:80]!r} is no address of an endpoint: expected http://HOST:PORT")
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - http, as has been seen
        return str(answer.read(_MAX_ANSWER).decode())


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    if isinstance(error, ValidationError):
        return "what answers there is no relay's operations endpoint"
    return str(error)


def _wrong(found: Report) -> list[str]:
    """What is not well, a sentence each."""
    wrong = [] if found.fault is None else [f"it serves no clients: {found.fault}"]
    wrong += [
        f"the public log {log.name} cannot be published: its witnesses or its disk fail"
        for log in found.logs
        if log.failing
    ]
    return wrong


def _table(found: Report) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    connections = ", ".join(f"{count} {kind}" for kind, count in found.connections.items())
    rows = [
        ("state", "[green]serves clients[/green]" if found.ready else f"[red]{found.fault}[/red]"),
        ("release", f"{found.version}, up for {_span(found.now - found.began_at)}"),
        ("connections", f"{sum(found.connections.values())}" + (f" ({connections})" if connections else "")),
        (
            "messages",
            f"{found.accepted:,} accepted, {found.delivered:,} delivered, {found.refused:,} refused since the start",
        ),
        ("waiting", _waiting(found)),
        ("queue", f"{_size(found.queue_bytes)} wait for their commit"),
        ("commits", _commits(found.commits)),
        ("enrolled", f"{found.tenants} tenants, {found.devices} devices"),
        ("store", ", ".join(f"{name} {_size(size)}" for name, size in found.store_bytes.items()) or "elsewhere"),
        ("disk", f"{_size(found.free_bytes)} free"),
        ("retention", _retention(found)),
        *((f"log {log.name}", _log(log, found.now)) for log in found.logs),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _commits(commits: Commits) -> str:
    if commits.half is None:
        return "none yet"
    return f"half within {_time(commits.half)}, 99 of 100 within {_time(commits.most)}"


def _waiting(found: Report) -> str:
    if found.waiting is None or found.waiting_bytes is None:
        return "the database knows: this is one of several nodes"
    return f"{found.waiting:,} messages, {_size(found.waiting_bytes)}, in all mailboxes"


def _retention(found: Report) -> str:
    if found.retention_ran_at is None:
        return "has not run yet"
    ago = _span(found.now - found.retention_ran_at)
    return f"ran {ago} ago; {found.retention_deleted:,} records deleted since the start"


def _log(log: LogState, now: float) -> str:
    text = f"{log.entries:,} entries, root {log.root[:12]}…"
    if log.cosigned_at is not None:
        age = now - log.cosigned_at
        cosigned = "not cosigned yet" if not log.cosigned_at else f"cosigned {_span(age)} ago"
        text += f", {cosigned}" if age < _OLD else f", [yellow]{cosigned}[/yellow]"
    elif not log.witnesses:
        text += ", no witnesses"
    return f"{text}, [red]cannot be published[/red]" if log.failing else text


def _span(seconds: float) -> str:
    return str(timedelta(seconds=max(0, int(seconds))))


def _time(seconds: float | None) -> str:
    return "more than a minute" if seconds is None else f"{seconds * 1_000:g} ms"


def _size(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1_024 or unit == "GiB":
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1_024
    raise AssertionError
