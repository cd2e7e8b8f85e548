"""By what a device verifies the log `directory`: what it has been told, or else what the relay said when it was first asked.

The log's key may be replaced: another policy takes the place of the one that is kept once a checkpoint holds by both, for then
the old key vouches for the new one. It does not vouch for other witnesses: a relay that could leave out those that it has been
held to so far would be held to nothing. Who wants to change them tells the device so (`RelayAddress.log_policy`).

What a former key has signed still counts as something that the log has said: else a relay would replace the key for one person
alone, and that person's client would hear nothing of what others have seen.
"""

from typing import Final

from blindrelay.clients.errors import HistoryRejected
from blindrelay.clients.log_records import Habits, LogRecords
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency.keys import VerifierKey
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust

_POLICY: Final = "policy"
_FORMER: Final = "former-keys"


class LogTrust:
    """See the module. Kept in the device's key store."""

    def __init__(self, records: LogRecords, habits: Habits) -> None:
        self._records = records
        self._habits = habits
        self._offered: str | None = None  # a policy that the relay would like to have in place of the one we keep

    @property
    def current(self) -> Trust | None:
        """By what the log is verified; None while nobody has said."""
        kept = self._records.get(_POLICY)
        text = self._habits.policy or (None if kept is None else kept.decode())
        return None if text is None else self._parse(text)

    @property
    def is_told(self) -> bool:
        """Whether somebody else than the relay has said: then the relay need not be asked."""
        return self._habits.policy is not None

    @property
    def offered(self) -> bool:
        """Whether the relay would like another policy than the one that is kept."""
        return self._offered is not None

    def learn(self, said: str) -> None:
        """The relay has said what its policy is: the first one is kept, another one waits for a checkpoint.

        Raises:
            HistoryRejected: it cannot be used.
        """
        kept = self._records.get(_POLICY)
        if kept is None:
            self._parse(said)
            self._records.put(_POLICY, said.encode())
        elif kept.decode() != said:
            self._offered = said

    def adopt(self, checkpoint: bytes) -> None:
        """Take the policy that was offered, if this checkpoint, which holds by the current one, holds by that one too."""
        said, self._offered, old = self._offered, None, self.current
        if said is None or old is None:
            return
        try:
            new = self._parse(said)
            new.open(checkpoint)
        except (HistoryRejected, Malformed, VerificationFailed):
            return  # the key that we know has not vouched for this one
        if not new.is_as_strict_as(old):
            return
        if new.log != old.log:
            self._records.put(_FORMER, "\n".join(map(str, [old.log, *self._former()])).encode())
        self._records.put(_POLICY, said.encode())

    def has_signed(self, note: Note) -> bool:
        """Whether the log has signed it, with the key that it has now or one that it had."""
        trust = self.current
        return trust is not None and any(note.is_signed_by(key) for key in (trust.log, *self._former()))

    def _former(self) -> list[VerifierKey]:
        kept = self._records.get(_FORMER)
        return [] if kept is None else [VerifierKey.parse(line) for line in kept.decode().splitlines()]

    def _parse(self, text: str) -> Trust:
        wanted = self._habits.witnesses
        try:
            trust = Trust.parse(text)
            return trust if wanted is None else Trust.threshold(trust.log, trust.witnesses, wanted)
        except Malformed as error:
            raise HistoryRejected("checkpoint", f"the policy of its log cannot be used: {error}") from None
