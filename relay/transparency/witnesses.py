"""Asking a witness for its cosignature (https://c2sp.org/tlog-witness)."""

import http.client
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosigned_at
from blindrelay.protocol.transparency.merkle import MAX_SIZE
from blindrelay.protocol.transparency.note import MAX_NOTE, Note, Signature
from blindrelay.protocol.transparency.policy import Witness
from blindrelay.protocol.transparency.submission import PATH, Submission, decode_cosignatures

# Look-ups of what is new wait for this.
_SECONDS: Final = 2.0


class NotCosigned(Exception):
    """The witness did not answer, or not with a cosignature; the message says which."""


@dataclass(slots=True)
class AskedWitness:
    """A witness, and what is known of what it has seen. It blocks: called in a thread, one call at a time."""

    witness: Witness
    seen: int = 0

    def cosign(self, note: Note, head: Checkpoint, prove: Callable[[int], tuple[bytes, ...]]) -> tuple[Signature, ...]:
        """Have `note` cosigned. `prove` gives the proof that `head` continues the log of an older size.

        Raises:
            NotCosigned: it does not. It is asked again with the next checkpoint.
        """
        for _ in range(2):  # the second time from what the witness says that it has seen
            if self.seen > head.size:
                raise NotCosigned(f"it has seen {self.seen} entries, and there are {head.size}")
            status, body = self._post(Submission(self.seen, prove(self.seen), note).encode())
            if status == 200:
                self.seen = head.size
                return self._checked(note, body)
            if status != 409:
                raise NotCosigned(f"it answers {status}")
            self.seen = _size(body)
        raise NotCosigned("it has seen something else each time it is asked")

    def _checked(self, note: Note, body: bytes) -> tuple[Signature, ...]:
        try:
            signatures = tuple(found for found in decode_cosignatures(body) if found.is_of(self.witness.key))
        except Malformed as error:
            raise NotCosigned("its answer is malformed") from error
        if cosigned_at(note.with_signature(*signatures), self.witness.key) is None:
            raise NotCosigned("its cosignature does not verify")
        return signatures

    def _post(self, body: bytes) -> tuple[int, bytes]:
        url = urlsplit(self.witness.url or "")
        if not url.hostname:
            raise NotCosigned("nobody has said where it is")
        connection = (
            http.client.HTTPSConnection(url.hostname, url.port, timeout=_SECONDS, context=ssl.create_default_context())
            if url.scheme == "https"
            else http.client.HTTPConnection(url.hostname, url.port, timeout=_SECONDS)
        )
        try:
            connection.request("POST", url.path.rstrip("/") + PATH, body)
            answer = connection.getresponse()
            return answer.status, answer.read(MAX_NOTE)
        except (OSError, http.client.HTTPException) as error:
            raise NotCosigned(f"it cannot be reached ({type(error).__name__})") from error
        finally:
            connection.close()


def _size(body: bytes) -> int:
    text = body[:32].decode("ascii", "replace").strip()
    if not (text.isascii() and text.isdigit() and int(text) < MAX_SIZE):
        raise NotCosigned("it does not say which size it has seen")
    return int(text)
