"""`blindrelay client log`: what a device has seen of the relay's public log, and what to do about an alarm."""

from datetime import UTC, datetime
from pathlib import Path

import click

from blindrelay.cli.devices import Speaker, speaker_options
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.output import JSON_OPTION, emit, printable
from blindrelay.clients.errors import NotPossible, StoreError
from blindrelay.clients.heads import Heads
from blindrelay.clients.log_records import Alarm

_WHAT_NOW = """
Nothing is sent any more. The relay's log has signed two histories, or somebody has put an older copy of the relay in its place.
  1. Keep the evidence:           blindrelay client log --export evidence
  2. Tell your enterprise, and whoever wrote to you, on another way than this relay.
  3. When it has been explained:  blindrelay client log --dismiss
"""


@click.command(
    "log",
    epilog="""\b
Examples:
  blindrelay client log                       which checkpoint of the directory's log this device goes by
  blindrelay client log --export evidence     the two checkpoints that contradict each other, as files
  blindrelay client log --dismiss             a person has dealt with the alarm

\b
Exit code 15 when there is an alarm. What is checked, and when: docs/reference/logs.md
""",
)
@click.option("--export", type=click.Path(file_okay=False, path_type=Path), help="Write the evidence of an alarm here.")
@click.option("--dismiss", is_flag=True, help="Forget the alarm: what the relay shows next is taken for its history.")
@JSON_OPTION
@speaker_options
def seen_log(speaker: Speaker, export: Path | None, dismiss: bool, as_json: bool) -> int:
    """Show what this device has seen of the relay's public log of the directory, and any proof that it has two histories."""
    with speaker.read() as device:
        heads = device.heads
        alarm = heads.alarm
        if export is not None:
            _export(_there(alarm), export)
        if dismiss:
            _there(alarm)
            heads.dismiss()
            alarm = None
        _show(heads, alarm, as_json=as_json)
    return ExitCode.OK if alarm is None else ExitCode.LOG_REJECTED


def _there(alarm: Alarm | None) -> Alarm:
    if alarm is None:
        raise NotPossible("there is no alarm: all that this device has seen of the log is one history")
    return alarm


def _export(alarm: Alarm, folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
        (folder / "ours").write_bytes(alarm.ours)
        (folder / "theirs").write_bytes(alarm.theirs)
        (folder / "alarm.json").write_text(alarm.model_dump_json(indent=2, exclude={"ours", "theirs"}) + "\n")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}") from error


def _show(heads: Heads, alarm: Alarm | None, *, as_json: bool) -> None:
    checkpoint, trust = heads.checkpoint, heads.trust
    if as_json:
        emit(
            {
                "origin": None if checkpoint is None else checkpoint.origin,
                "size": None if checkpoint is None else checkpoint.size,
                "root": None if checkpoint is None else checkpoint.root.hex(),
                "policy": None if trust is None else str(trust),
                "alarm": None if alarm is None else alarm.model_dump(mode="json"),
            }
        )
        return
    if checkpoint is None:
        click.echo("this device has not looked anybody up yet, and so has seen nothing of the log")
    else:
        click.echo(printable(f"{checkpoint.origin}: {checkpoint.size} entries, root {checkpoint.root.hex()}"))
    if trust is not None:
        witnesses = ", ".join(witness.name for witness in trust.witnesses) or "none"
        click.echo(printable(f"verified with the key {trust.log}\nwitnesses: {witnesses}; quorum: {trust.quorum}"))
    if alarm is not None:
        who, when = alarm.heard_from or "the relay itself", datetime.fromtimestamp(alarm.at, UTC)
        click.echo(printable(f"\nALARM since {when:%Y-%m-%d %H:%M} UTC, by {who}: {alarm.check}: {alarm.reason}"))
        click.echo(_WHAT_NOW)
