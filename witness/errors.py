"""What a witness raises on purpose.

WitnessError
 +- Refused           a submission is not cosigned; becomes an HTTP status
 |   +- UnknownLog    404
 |   +- NotSigned     403
 |   +- Conflict      409, with the size that the witness knows
 |   |   +- SplitView the log has signed two trees of one size
 |   +- NotProved     422
 +- FolderError       the witness's folder
 |   +- NoWitness     there is none in it
 |   +- FolderInUse   another witness runs on it
 |   +- Unreadable    something in it is missing or damaged
 +- AddressInUse      the port is taken, or is not ours to take
"""

from blindrelay.protocol.errors import BlindrelayError


class WitnessError(BlindrelayError):
    """Any error of a witness."""


class Refused(WitnessError):
    """A submission that is well formed is not cosigned."""


class UnknownLog(Refused):
    """The witness does not know this log."""


class NotSigned(Refused):
    """None of the log's keys that the witness knows has signed the checkpoint, or one is said to have that has not."""


class Conflict(Refused):
    """The log thinks that the witness knows another size than it does. `known` is the size it knows."""

    def __init__(self, reason: str, known: int) -> None:
        super().__init__(reason)
        self.known = known


class SplitView(Conflict):
    """The log has signed two different trees of one size: proof, with its own signatures, that it shows different histories."""


class NotProved(Refused):
    """The consistency proof does not hold."""


class FolderError(WitnessError):
    """The witness's folder cannot be used."""


class NoWitness(FolderError):
    """There is no witness in this folder."""


class FolderInUse(FolderError):
    """Another process runs a witness on it."""


class Unreadable(FolderError):
    """Something in the folder is missing, damaged, or cannot be read or written. Nothing is signed until it is restored."""


class AddressInUse(WitnessError):
    """The listening address is taken, or is not ours to take."""
