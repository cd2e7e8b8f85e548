"""Whether somebody has seen more of a log than a backup has. A log that goes on from there would be a second history: its
witnesses would not cosign it, and clients that have seen the first one would send nothing any more.
"""

from dataclasses import dataclass
from pathlib import Path

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH
from blindrelay.relay.backup.manifest import LOGS, Manifest
from blindrelay.relay.errors import BackupRejected
from blindrelay.relay.transparency.witnesses import NotCosigned, seen_by


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a witness of a log says. `seen`: how many entries it has seen; None: it could not be asked, `reason` says why.

    `entries`: how many the backup has shown."""

    log: str
    witness: str
    entries: int
    seen: int | None
    reason: str = ""

    @property
    def is_ahead(self) -> bool:
        """Whether it has seen more."""
        return self.seen is not None and self.seen > self.entries


async def seen_since(backup: Path, manifest: Manifest) -> list[Ahead]:
    """Ask the witnesses of each log, by its policy in the backup. Raises `BackupRejected`: one of these is malformed."""
    found: list[Ahead] = []
    for name, head in manifest.logs.items():
        try:
            trust = Trust.parse((backup / LOGS / f"{name}.policy").read_text("utf-8"))
            note = Note.parse((backup / LOGS / name / CHECKPOINT_PATH).read_bytes())
            checkpoint = Checkpoint.parse(note.text)
        except (OSError, UnicodeDecodeError, Malformed) as error:
            raise BackupRejected(f"the log {name} in {backup} cannot be read: {error}") from error
        for witness in trust.witnesses:
            try:
                seen = await seen_by(witness, note, checkpoint)
            except NotCosigned as error:
                found.append(Ahead(name, witness.name, head.entries, None, str(error)))
            else:
                found.append(Ahead(name, witness.name, head.entries, seen))
    return found
