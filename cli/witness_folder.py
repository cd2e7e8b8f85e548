"""`blindrelay witness key`, `status`, `add-log`: what a witness keeps in its folder."""

from datetime import UTC, datetime
from pathlib import Path

import click

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.output import JSON_OPTION, complain, emit, printable
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.keys import VerifierKey
from blindrelay.witness.folder import Folder, KnownLog, origin_hash

FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


class LogKeys(click.ParamType[tuple[VerifierKey, ...]]):
    """A verifier key, or a file of such keys, or the policy file (https://c2sp.org/tlog-policy) that a log publishes."""

    name = "LOG"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[VerifierKey, ...]:
        if isinstance(value, tuple):
            return value
        given = str(value)
        try:
            if Path(given).is_file():
                return _keys_in(Path(given).read_text(encoding="utf-8"))
            return (VerifierKey.parse(given),)
        except (Malformed, UnicodeDecodeError, OSError) as error:
            # Without what was given: it may be a private key, by mistake.
            self.fail(f"this is neither a log's verifier key nor a file with some: {error}", param, ctx)


def _keys_in(text: str) -> tuple[VerifierKey, ...]:
    """The keys of logs in a file: bare, or on the `log` lines of a policy, whose other lines are passed over."""
    found: list[VerifierKey] = []
    for line in text.splitlines():
        match line.split():
            case ["log", key, *_] | [key] if not key.startswith("#"):
                found.append(VerifierKey.parse(key))
            case [word, *_] if not word.startswith("#") and word not in {"witness", "group", "quorum"}:
                raise Malformed(f"the line {line[:80]!r} is not understood")
    if not found:
        raise Malformed("there is no key of a log in it")
    return tuple(found)


@click.command(
    "key",
    epilog="""\b
Examples:
  blindrelay witness key w                     what logs, clients and auditors pin
  blindrelay witness key w --new               one more: from the next start on, both cosign
  blindrelay witness key w --retire 1a2b3c4d   the old one, when everybody has the new one
""",
)
@FOLDER
@click.option("--new", is_flag=True, help="Make one more key. The witness must not run.")
@click.option("--retire", metavar="KEY_ID", help="Delete the private key with this id. The witness must not run.")
@JSON_OPTION
def key(folder: Path, new: bool, retire: str | None, as_json: bool) -> None:
    """Print the verifier keys of the witness in FOLDER, one a line, the newest last; or change them."""
    if new and retire:
        raise click.UsageError("--new and --retire are two steps, with time between them")
    found = Folder.read(folder)
    if new or retire:
        with Folder.open(folder, None, SystemClock()) as opened:
            found = opened.retire(retire) if retire else opened.new_key()
        if new:
            with Folder.open(folder, None, SystemClock()):
                pass  # the new key cosigns what is known, so that the old one can be retired at any time
    for own in found.keys:
        if as_json:
            emit({"name": own.name, "key": str(own.verifier), "key_id": own.verifier.key_id.hex()})
        else:
            click.echo(str(own.verifier))


@click.command(
    epilog="""\b
Exit code 0 if all is well, 1 if a log has signed two histories: the files that prove it are named.
"""
)
@FOLDER
@JSON_OPTION
def status(folder: Path, as_json: bool) -> int:
    """What the witness in FOLDER has cosigned last of each log. It may run meanwhile."""
    found = Folder.read(folder)
    logs = found.logs()
    for log in logs:
        record = _record(found, log)
        if as_json:
            emit(record)
            continue
        click.echo(printable(f"{log.origin}"))
        for word in ("size", "root", "cosigned", "address"):
            click.echo(f"  {word:<9} {record[word] if record[word] is not None else 'not yet'}")
    if not logs and not as_json:
        click.echo(f"{found.name} knows no log yet: blindrelay witness add-log {folder} LOG")
    code = ExitCode.OK
    for log in logs:
        if log.split_views:
            complain(
                f"{log.origin} has signed two trees of one size: compare "
                + " and ".join(str(path) for path in log.split_views)
            )
            code = ExitCode.FAILED
    return code


def _record(found: Folder, log: KnownLog) -> dict[str, object]:
    last = found.last(log)
    return {
        "origin": log.origin,
        "keys": [str(own) for own in log.keys],
        "size": last.head.size if last.submitted else None,
        "root": last.head.root.hex() if last.submitted else None,
        "cosigned": datetime.fromtimestamp(last.time, UTC).isoformat() if last.submitted else None,
        "address": f"/{origin_hash(log.origin)}/checkpoint",
        "split_views": [str(path) for path in log.split_views],
    }


@click.command(
    "add-log",
    epilog="""\b
Examples:
  blindrelay witness add-log w example.org/log+1a2b3c4d+AQ...
  blindrelay witness add-log w directory.policy

\b
A log whose key changes signs with both keys for a while: add the new one here before. To forget an old one, take its line
out of logs/<origin hash>/keys.
""",
)
@FOLDER
@click.argument("log", type=LogKeys())
@JSON_OPTION
def add_log(folder: Path, log: tuple[VerifierKey, ...], as_json: bool) -> None:
    """Have the witness in FOLDER know LOG: a verifier key, a file of such keys, or a log's policy file. It may run meanwhile.

    The first checkpoint of a log is taken as it comes: a witness can say that a history goes on, not that it was always so.
    """
    found = Folder.read(folder)
    for one in log:
        known = found.add_log(one, SystemClock())
        if as_json:
            emit({"origin": known.origin, "keys": [str(own) for own in known.keys]})
        else:
            click.echo(printable(f"{found.name} knows {known.origin}, with {len(known.keys)} key(s)"))
