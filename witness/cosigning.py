"""The one decision of a witness: to cosign a checkpoint, or not to (https://c2sp.org/tlog-witness, "add-checkpoint")."""

import contextlib
import threading

from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.merkle import ProofRejected, verify_consistency
from blindrelay.protocol.transparency.note import Note, Signature
from blindrelay.protocol.transparency.submission import Submission
from blindrelay.witness.errors import Conflict, NotProved, NotSigned, SplitView
from blindrelay.witness.folder import Cosigned, Folder, KnownLog


class Cosigner:
    """Decides, one submission after the other. It blocks, on the disk and on itself: call it in a thread."""

    def __init__(self, folder: Folder, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        # Between the look at what is known and the word that it is kept, nobody else may look: of two submissions that
        # continue one checkpoint in two ways, both would be cosigned.
        self._one_at_a_time = threading.Lock()
        # Logs whose checkpoint could not be kept: it can be read, perhaps, and nobody knows whether it would be after a
        # power cut.
        self._unsure: set[str] = set()

    def submit(self, data: bytes) -> tuple[Checkpoint, tuple[Signature, ...]]:
        """Cosign the checkpoint of a submission, having kept it on stable storage.

        Raises:
            Malformed: it is no submission.
            Refused: it is not cosigned; the class says why.
            Unreadable: what is known of the log cannot be read. Nothing is signed.
            OSError: the checkpoint cannot be kept. Nothing is signed.
        """
        submission = Submission.parse(data)
        head = Checkpoint.parse(submission.note.text)
        with self._one_at_a_time:
            log = self._folder.log(head.origin)
            note = _signed(submission.note, log)
            if submission.old_size > head.size:
                raise Malformed(f"a log of {head.size} entries does not continue one of {submission.old_size}")
            last = self._folder.last(log)
            self._check(submission, head, last, log, note)
            # Said of a later time that the log was smaller would be false. A clock may have been set back.
            cosigned = self._folder.cosigned(note, max(int(self._clock.now()), last.time))
            # Within one second the same question has the same answer: anybody can repeat what a log has published, and
            # shall not keep the disk busy with it.
            if cosigned != last.note or log.origin in self._unsure:
                self._unsure.add(log.origin)
                self._folder.keep(log, cosigned)
                self._unsure.remove(log.origin)
        return head, cosigned.signatures[len(note.signatures) :]

    def _check(self, submission: Submission, head: Checkpoint, last: Cosigned, log: KnownLog, note: Note) -> None:
        known = last.head.size
        if (head.size, head.root != last.head.root) == (known, True):
            with contextlib.suppress(OSError):  # refused it is in any case
                self._folder.keep_split_view(log, last.note, note)
            raise SplitView(f"the log has signed another tree of {known} entries before", known)
        if submission.old_size != known:
            raise Conflict(f"this witness knows {known} entries, and not {submission.old_size}", known)
        try:
            verify_consistency(known, last.head.root, head.size, head.root, submission.proof)
        except ProofRejected as error:
            raise NotProved(str(error)) from error


def _signed(note: Note, log: KnownLog) -> Note:
    """The note with one signature of each of the log's keys that are known and have signed, and no others."""
    claimed = [key for key in log.keys if any(signature.is_of(key) for signature in note.signatures)]
    if not claimed or not all(note.is_signed_by(key) for key in claimed):
        raise NotSigned(f"no key of {log.origin} that this witness knows has signed this checkpoint")
    return Note(note.text, tuple(next(found for found in note.signatures if found.is_of(key)) for key in claimed))
