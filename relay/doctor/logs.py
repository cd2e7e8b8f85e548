"""The public logs, and their witnesses."""

from collections.abc import Iterator

from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosigned_at
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH
from blindrelay.relay.doctor.model import Finding, Grade, Patient
from blindrelay.relay.transparency.assembly import FOLDER


def logs(patient: Patient) -> Iterator[Finding]:
    """Whether what is shown is cosigned, and has been lately."""
    for name, time in cosigned(patient):
        minutes = (patient.clock.now() - time) / 60
        advice = f"see the relay's log for why, and whether the witnesses in {FOLDER}/{name}.policy answer"
        if not time:
            yield Finding(Grade.WRONG, f"{name}: a witness has not cosigned what is shown", advice)
        elif patient.endpoint is not None and minutes * 60 > 3 * patient.settings.logs.refresh_seconds:
            yield Finding(Grade.WRONG, f"{name}: cosigned {minutes:.0f} minutes ago, and not since", advice)
        else:
            yield Finding(Grade.WELL, f"{name}: cosigned {minutes:.0f} minutes ago")


def cosigned(patient: Patient) -> Iterator[tuple[str, float]]:
    """Each log that has witnesses and has shown something, and when the one that is furthest behind has cosigned it."""
    for path in sorted((patient.data / FOLDER).glob("*.policy")):
        checkpoint = patient.data / FOLDER / path.stem / CHECKPOINT_PATH
        trust = Trust.parse(path.read_text("utf-8"))
        if checkpoint.exists() and trust.witnesses:
            note = Note.parse(checkpoint.read_bytes())
            Checkpoint.parse(note.text)
            yield path.stem, float(min(cosigned_at(note, witness.key) or 0 for witness in trust.witnesses))
