"""`blindrelay backup` and `restore`."""

from pathlib import Path

import click

from blindrelay.cli.bars import bar_of_bytes
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import JSON_OPTION, complain, console, emit
from blindrelay.cli.own_witness import FOLDER as WITNESS
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay import backup as backups
from blindrelay.relay import config
from blindrelay.relay.backup import Ahead, Manifest
from blindrelay.relay.backup.manifest import FILE_NAME, digest
from blindrelay.relay.backup.manifest import WITNESS as IN_BACKUP
from blindrelay.relay.errors import HistoryLost

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BLINDRELAY_DATA_DIR",
    help="The data directory.  [default: relay/ in the home]",
)


@click.command(
    epilog="""\b
Examples:
  blindrelay backup /backups/2026-11-27
  blindrelay backup /backups/2026-11-27 && tar --create --directory /backups 2026-11-27 | age --recipient KEY > relay.age

\b
What is in it, in a folder for its owner alone (0700, files 0600), with a digest of each file in manifest.json:
  relay.db, desk.sqlite     accounts, metadata, sealed envelopes that wait; the lawful desk's cases: as of one moment
  relay.key, desk.key, log-keys/, registration-code, their certificates
  logs/, packages/          the public logs; packages that wait for an authority
  witness/                  the relay's own witness, if `up` has one beside it
  blindrelay.toml

\b
It is not encrypted. Whoever has it can be this relay, and has the metadata that the relay had; envelopes in it can be opened by
their recipients alone. What the relay deletes afterwards stays in it: keep it no longer than your retention windows.
""",
)
@click.argument("folder", type=click.Path(path_type=Path))
@home_option
@_data_dir
@JSON_OPTION
def backup(folder: Path, home: Path, data_dir: Path | None, as_json: bool) -> int:
    """Copy everything that a relay is to a new folder, while it runs or while it does not.

    It is of one moment: writers wait for some milliseconds. Deleted pages are not in it. A backup that would not be whole is
    not kept, whatever interrupts it.
    """
    data = data_dir or relay_directory(home)
    if config.load(data).store is not None:
        raise click.UsageError(
            "this relay keeps its state in PostgreSQL: back that up with its own tools (pg_dump), and the identity directory "
            "with yours; see docs/how-to/operate-a-relay.md"
        )
    with bar_of_bytes("copying") as told:
        manifest = backups.take(data, folder, SystemClock(), witness=_witness(home, data), told=told)
    seal = digest(folder / FILE_NAME).sha256
    if as_json:
        emit({"backup": folder.absolute(), "manifest_sha256": seal, **_summary(manifest)})
        return ExitCode.OK
    _tell(manifest)
    click.echo(f"\nbacked up to {folder}; SHA-256 of its manifest: {seal}")
    return ExitCode.OK


@click.command(
    epilog="""\b
Examples:
  blindrelay restore /backups/2026-11-27
  blindrelay restore /backups/2026-11-27 --data-dir /var/lib/blindrelay
  blindrelay restore /backups/2026-11-27 --verify           is it whole? Nothing is put anywhere

\b
What happened after the backup is not in it, and that has consequences:
  messages      accepted since then are lost; delivered since then come again, and devices notice that
  prekeys       all one-time prekeys go, for some have been handed out since; devices bring new ones
  revocations   since then are forgotten: tell enterprises to revoke again
  public logs   must not go back. Whoever has seen more than the backup shows would be shown a second history: witnesses do not
                cosign it, and clients that have seen the first one send nothing any more. Witnesses are asked before anything
                is put back. If one has seen more, take a newer backup; docs/how-to/operate-a-relay.md says what else there is.
""",
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@home_option
@_data_dir
@click.option(
    "--verify", "only_verify", is_flag=True, help="Compare the backup with its manifest, and put nothing anywhere."
)
@click.option("--offline", is_flag=True, help="Do not ask witnesses what they have seen since.")
@JSON_OPTION
def restore(folder: Path, home: Path, data_dir: Path | None, only_verify: bool, offline: bool, as_json: bool) -> int:
    """Put a backup back: into a data directory that is not there yet, or empty.

    Every file is compared with the manifest before, and again as it is written.
    """
    data = data_dir or relay_directory(home)
    with bar_of_bytes("verifying") as told:
        manifest = backups.verify(folder, told)
    asked = [] if offline else interruptible(backups.seen_since(folder, manifest))
    _refuse_a_second_history(folder, asked)
    if not only_verify:
        witness = _witness(home, data) if any(name.startswith(f"{IN_BACKUP}/") for name in manifest.files) else None
        with bar_of_bytes("putting back") as told:
            backups.restore(folder, data, manifest, witness=witness, told=told)
    if as_json:
        emit(
            {
                "restored": None if only_verify else data.absolute(),
                **_summary(manifest),
                "witnesses": list(map(_row, asked)),
            }
        )
        return ExitCode.OK
    _tell(manifest)
    for one in asked:
        if one.seen is None:
            complain(f"the witness {one.witness} was not asked what it has seen of the log {one.log}: {one.reason}")
    click.echo("\nthe backup is whole" if only_verify else f"\nput back into {data}: blindrelay up --data-dir {data}")
    return ExitCode.OK


def _witness(home: Path, data: Path) -> Path:
    """Where `up` keeps the relay's own witness."""
    return (home if data == relay_directory(home) else data) / WITNESS


def _refuse_a_second_history(folder: Path, asked: list[Ahead]) -> None:
    for one in asked:
        if one.is_ahead:
            raise HistoryLost(
                f"the witness {one.witness} has seen {one.seen} entries of the log {one.log}, and {folder} has {one.entries}: "
                "a relay that goes on from there would show a second history, which no witness cosigns and no client accepts. "
                "Take a newer backup; --offline puts this one back all the same"
            )


def _summary(manifest: Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at.isoformat(),
        "version": manifest.version,
        "tenants": manifest.tenants,
        "devices": manifest.devices,
        "waiting": manifest.waiting,
        "logs": {name: head.entries for name, head in manifest.logs.items()},
        "files": len(manifest.files),
        "bytes": manifest.size,
    }


def _row(one: Ahead) -> dict[str, object]:
    return {
        "log": one.log,
        "witness": one.witness,
        "entries": one.entries,
        "seen": one.seen,
        "reason": one.reason or None,
    }


def _tell(manifest: Manifest) -> None:
    logs = ", ".join(f"{name} {head.entries}" for name, head in manifest.logs.items()) or "none"
    console().print(
        f"  as of        {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, by release {manifest.version}\n"
        f"  holds        {manifest.tenants} tenants, {manifest.devices} devices, {manifest.waiting} envelopes that wait\n"
        f"  public logs  {logs} entries\n"
        f"  files        {len(manifest.files)}, {manifest.size:,} bytes"
    )
