"""`blindrelay log rotate-key`: replace the key that a log is signed with."""

from pathlib import Path

import click

from blindrelay.cli.output import JSON_OPTION, emit
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.keys import SigningKey, VerifierKey
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH
from blindrelay.relay.transparency.assembly import FOLDER as LOGS
from blindrelay.relay.transparency.keys import FOLDER as KEYS
from blindrelay.relay.transparency.keys import open_keys, write_keys


@click.command(
    "rotate-key",
    epilog="""\b
Examples:
  blindrelay log rotate-key directory
  (restart the relay; let clients, auditors and witnesses learn the new key)
  blindrelay log rotate-key directory --finish
  (restart the relay)

\b
What everybody has to do, and when: docs/how-to/rotate-log-keys.md
""",
)
@click.argument("name", type=click.Choice(["directory", "lawful-access"]))
@home_option
@click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The relay's data directory.  [default: relay/ in the home]",
)
@click.option("--finish", is_flag=True, help="Delete the old key, once checkpoints have been signed with both.")
@JSON_OPTION
def rotate_key(name: str, home: Path, data_dir: Path | None, finish: bool, as_json: bool) -> None:
    """Begin to replace the key of the log NAME, or finish it.

    From the next start of the relay on its checkpoints are signed with both keys, so that whoever knows the old one goes on
    until they have learned the new one. The log's name, its entries and its history stay.
    """
    folder = data_dir or relay_directory(home)
    path = folder / KEYS / f"{name}.key"
    if not path.exists():
        raise click.UsageError(f"{folder} has no key of the log {name}: start the relay once (`blindrelay up`)")
    keys = open_keys(path.parent, name, None)
    if finish:
        current, old = _finish(path, keys, folder / LOGS / name / CHECKPOINT_PATH), None
    else:
        current, old = _begin(path, keys)
    if as_json:
        emit({"log": current.name, "key": str(current), "old_key": None if old is None else str(old)})
        return
    click.echo(f"key      {current}")
    if old is not None:
        click.echo(f"old key  {old}")
        click.echo("restart the relay: from then on it signs with both; then see docs/how-to/rotate-log-keys.md")
    else:
        click.echo("the old key is deleted; restart the relay: from then on it signs with the new one alone")


def _begin(path: Path, keys: tuple[SigningKey, ...]) -> tuple[VerifierKey, VerifierKey]:
    if len(keys) > 1:
        raise click.UsageError("the key is being replaced already: see --finish")
    new = SigningKey.generate(keys[0].name)
    write_keys(path, (new, keys[0]))
    return new.verifier, keys[0].verifier


def _finish(path: Path, keys: tuple[SigningKey, ...], checkpoint: Path) -> VerifierKey:
    if len(keys) == 1:
        raise click.UsageError("the key is not being replaced: begin without --finish")
    if not _has_signed(keys[0].verifier, checkpoint):
        # A log whose last checkpoint no key of its own has signed could not be continued.
        raise click.UsageError("nothing has been signed with the new key yet: restart the relay first")
    write_keys(path, keys[:1])
    return keys[0].verifier


def _has_signed(key: VerifierKey, checkpoint: Path) -> bool:
    try:
        return Note.parse(checkpoint.read_bytes()).is_signed_by(key)
    except (FileNotFoundError, Malformed):
        return False
