"""What the relay raises on purpose.

RelayError
 +- ConnectRefused          a CONNECT is not admitted; becomes a CONNACK
 +- RequestRefused          an rpc request is not carried out; becomes an `Answer`
 +- StartupError            the relay cannot start; becomes a sentence and an exit code of the command line
 |   +- BadConfiguration    a configuration file or value
 |   +- DataDirectoryInUse  another relay has it
 |   |   +- StoreInUse      a relay, or another copy, is at work on the database
 |   +- NewerVersion        a newer release wrote it
 |   +- Unreadable          a file of the data directory cannot be read, written or understood
 |   |   +- HistoryLost     a public log has shown more than the data directory has
 |   |   +- BackupRejected  a backup is not what its manifest says
 |   +- StoreUnreachable    the database does not answer, or does not let us in
 |   +- NeedsMigration      the database has no schema, or that of an older release
 |   +- NodeNameTaken       another node of the cluster has this one's name
 |   +- OfficeTaken         another node does what one of them does for all
 |   +- AddressInUse        the port is taken, or is not ours to take
 +- TargetNotEmpty          a backup or a copy is not written over something, nor put back over it
 +- CopyDiffers             what was copied into another store is not what was read; nothing of it is kept
 +- StoreError              what was asked of the store has not been done, or nobody knows
     +- StoreFull           there is no room; the relay works on
     +- StoreAway           the database cannot be reached just now; the relay works on, and tries again
     +- StoreFailed         a commit failed and nothing can be promised any more; the relay leaves
"""

from enum import IntEnum

from mqtt5 import ConnAckReasonCode

from blindrelay.protocol.errors import BlindrelayError
from blindrelay.protocol.rpc import ErrorCode


class ExitStatus(IntEnum):
    """What a relay's process says when it ends; the first three of the errors are those of BSD's sysexits.h."""

    OK = 0
    #: EX_IOERR: the store failed while running.
    STORE_FAILED = 74
    #: EX_CONFIG: configuration.
    BAD_CONFIGURATION = 78
    #: EX_NOINPUT: a file of the data directory.
    UNREADABLE = 66
    #: The relay was told to leave and could not come to an end in `drain_seconds`.
    LATE = 8
    IN_USE = 10
    NEWER_VERSION = 11
    ADDRESS_IN_USE = 12
    NEEDS_MIGRATION = 16
    NODE_NAME_TAKEN = 17
    OFFICE_TAKEN = 20
    #: EX_UNAVAILABLE: the database.
    STORE_UNREACHABLE = 69


class RelayError(BlindrelayError):
    """Any error of the relay."""


class ConnectRefused(RelayError):
    """This connection is not admitted. `reason` tells the peer no more than it knows already."""

    def __init__(self, code: ConnAckReasonCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class RequestRefused(RelayError):
    """This request is not carried out; `reason` is a sentence for whoever asked."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class StartupError(RelayError):
    """The relay cannot start. `exit_status` is for the command line."""

    exit_status = ExitStatus.UNREADABLE


class BadConfiguration(StartupError):
    """A configuration value is not what its key demands."""

    exit_status = ExitStatus.BAD_CONFIGURATION


class DataDirectoryInUse(StartupError):
    """Another process has the data directory."""

    exit_status = ExitStatus.IN_USE


class StoreInUse(DataDirectoryInUse):
    """Somebody is at work on the database who has to be alone there, or who must not be disturbed."""


class NewerVersion(StartupError):
    """The data directory was written by a newer release."""

    exit_status = ExitStatus.NEWER_VERSION


class Unreadable(StartupError):
    """A file of the data directory cannot be read, written or understood."""

    exit_status = ExitStatus.UNREADABLE


class HistoryLost(Unreadable):
    """A public log cannot be continued with what is in the data directory: some of what it has shown is not there."""


class StoreUnreachable(StartupError):
    """The database does not answer, or does not let us in."""

    exit_status = ExitStatus.STORE_UNREACHABLE


class NeedsMigration(StartupError):
    """The database has no schema of ours, or that of an older release."""

    exit_status = ExitStatus.NEEDS_MIGRATION


class NodeNameTaken(StartupError):
    """Another node of the cluster, which is running, has this one's name."""

    exit_status = ExitStatus.NODE_NAME_TAKEN


class BackupRejected(Unreadable):
    """A backup is not what its manifest says."""


class TargetNotEmpty(RelayError):
    """Where a backup or a copy is to be written or put back there is something already."""


class CopyDiffers(RelayError):
    """What another store has after it was copied is not what was read."""


class OfficeTaken(StartupError):
    """Another node of the cluster does what one of them does for all, the lawful desk for instance."""

    exit_status = ExitStatus.OFFICE_TAKEN


class AddressInUse(StartupError):
    """The listening address is taken, or is not ours to take."""

    exit_status = ExitStatus.ADDRESS_IN_USE


class StoreError(RelayError):
    """What was asked of the store has not been done, or nobody knows whether it has."""


class StoreFull(StoreError):
    """There is no room: nothing of what was asked has been written. Reading and deleting still work."""


class StoreAway(StoreError):
    """The database cannot be reached just now. Nothing of what was asked has been done, or a repetition will show what has."""


class StoreFailed(StoreError):
    """A commit failed: what is on the disk is not known. The relay closes its connections and leaves."""

    exit_status = ExitStatus.STORE_FAILED
