"""What the exit codes mean, and which error has which.

A relay's own codes are those of `relay.errors.ExitStatus`, so that a supervisor sees the same number however the relay was
started. Errors are found by the name of their class: a relay that is installed alone has no client errors to import.
"""

from enum import IntEnum

from blindrelay.protocol.errors import BlindrelayError, Malformed, VerificationFailed


class ExitCode(IntEnum):
    """Zero is success; everything else has one meaning."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_ENROLLED = 3
    RELAY_UNREACHABLE = 4
    REFUSED = 5
    IDENTITY_REJECTED = 6
    WRONG_PASSPHRASE = 7
    TIMED_OUT = 8
    STORE_UNREADABLE = 9
    DATA_DIRECTORY_IN_USE = 10
    NEWER_VERSION = 11
    ADDRESS_IN_USE = 12
    MALFORMED = 13
    NOT_INSTALLED = 14
    LOG_REJECTED = 15
    NEEDS_MIGRATION = 16
    NODE_NAME_TAKEN = 17
    UNHEALTHY = 18
    NOT_EMPTY = 19
    OFFICE_TAKEN = 20
    COPY_DIFFERS = 21
    DATA_DIRECTORY_UNREADABLE = 66
    STORE_UNREACHABLE = 69
    STORE_FAILED = 74
    BAD_CONFIGURATION = 78
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "it worked",
    ExitCode.FAILED: "something else went wrong; the message says what",
    ExitCode.USAGE: "the command line is not understood, or asks for what makes no sense",
    ExitCode.NOT_ENROLLED: "there is no such device, tenant, enrolment or witness here",
    ExitCode.RELAY_UNREACHABLE: "nobody answers at the relay's address, or the connection was lost",
    ExitCode.REFUSED: "the relay refused: the connection, a request, or a message",
    ExitCode.IDENTITY_REJECTED: "a check of somebody's identity failed; nothing was sent",
    ExitCode.WRONG_PASSPHRASE: "the passphrase does not open the key",
    ExitCode.TIMED_OUT: "the time that was allowed has passed",
    ExitCode.STORE_UNREADABLE: "a client's or tenant's files cannot be read, written or locked",
    ExitCode.DATA_DIRECTORY_IN_USE: "another process has the data directory, the database, or a witness's folder",
    ExitCode.NEWER_VERSION: "a newer release wrote the data directory, or the key store",
    ExitCode.ADDRESS_IN_USE: "the listening address is taken",
    ExitCode.MALFORMED: "a file or value is not of the form that is expected",
    ExitCode.NOT_INSTALLED: "the command needs packages that are not installed",
    ExitCode.LOG_REJECTED: "a public log or a proof does not hold, or the log has something in your name that is not yours",
    ExitCode.NEEDS_MIGRATION: "the database has no schema, or an older release's: `blindrelay migrate`",
    ExitCode.NODE_NAME_TAKEN: "another node of the cluster, which is running, has this name",
    ExitCode.UNHEALTHY: "the relay runs and is not well, or the doctor has found something; the message says what",
    ExitCode.NOT_EMPTY: "a backup or a copy is not written over something, nor put back over it",
    ExitCode.OFFICE_TAKEN: "another node of the cluster has the lawful desk",
    ExitCode.COPY_DIFFERS: "what was copied is not what was read, and nothing of it is kept",
    ExitCode.DATA_DIRECTORY_UNREADABLE: "a file of the relay's data directory or a witness's folder cannot be used",
    ExitCode.STORE_UNREACHABLE: "the relay's database does not answer, or does not let it in",
    ExitCode.STORE_FAILED: "the relay's store failed while running, and the relay left",
    ExitCode.BAD_CONFIGURATION: "the relay's configuration is wrong",
    ExitCode.INTERRUPTED: "Ctrl-C, or SIGTERM where a command does not say otherwise",
}

BY_CLASS: dict[str, ExitCode] = {
    "blindrelay.clients.errors.ClientError": ExitCode.FAILED,
    "blindrelay.clients.errors.NotEnrolled": ExitCode.NOT_ENROLLED,
    "blindrelay.clients.errors.RelayUnreachable": ExitCode.RELAY_UNREACHABLE,
    "blindrelay.clients.errors.ConnectionLost": ExitCode.RELAY_UNREACHABLE,
    "blindrelay.clients.errors.Closed": ExitCode.RELAY_UNREACHABLE,
    "blindrelay.clients.errors.AdmissionRefused": ExitCode.REFUSED,
    "blindrelay.clients.errors.RequestRefused": ExitCode.REFUSED,
    "blindrelay.clients.errors.DeliveryRefused": ExitCode.REFUSED,
    "blindrelay.clients.errors.IdentityRejected": ExitCode.IDENTITY_REJECTED,
    "blindrelay.clients.errors.HistoryRejected": ExitCode.LOG_REJECTED,
    "blindrelay.clients.errors.LogRejected": ExitCode.LOG_REJECTED,
    "blindrelay.clients.authority.receipt.ReceiptRejected": ExitCode.LOG_REJECTED,
    "blindrelay.clients.errors.NoDeliveryToken": ExitCode.REFUSED,
    "blindrelay.clients.errors.Expired": ExitCode.TIMED_OUT,
    "blindrelay.clients.errors.TimedOut": ExitCode.TIMED_OUT,
    "blindrelay.clients.errors.NotPossible": ExitCode.USAGE,
    "blindrelay.clients.errors.StoreError": ExitCode.STORE_UNREADABLE,
    "blindrelay.clients.errors.WrongPassphrase": ExitCode.WRONG_PASSPHRASE,
    "blindrelay.clients.errors.Unreadable": ExitCode.MALFORMED,
    "blindrelay.clients.errors.ContentTooLarge": ExitCode.USAGE,
    "blindrelay.clients.errors.StoreTooNew": ExitCode.NEWER_VERSION,
    "blindrelay.clients.errors.AuthorityError": ExitCode.STORE_UNREADABLE,
    "blindrelay.clients.errors.AuthorityLocked": ExitCode.WRONG_PASSPHRASE,
    "blindrelay.relay.errors.RelayError": ExitCode.FAILED,
    "blindrelay.relay.errors.TargetNotEmpty": ExitCode.NOT_EMPTY,
    "blindrelay.relay.errors.CopyDiffers": ExitCode.COPY_DIFFERS,
    "blindrelay.relay.errors.StartupError": ExitCode.DATA_DIRECTORY_UNREADABLE,
    "blindrelay.relay.errors.StoreFailed": ExitCode.STORE_FAILED,
    "blindrelay.relay.errors.BadConfiguration": ExitCode.BAD_CONFIGURATION,
    "blindrelay.relay.errors.DataDirectoryInUse": ExitCode.DATA_DIRECTORY_IN_USE,
    "blindrelay.relay.errors.NewerVersion": ExitCode.NEWER_VERSION,
    "blindrelay.relay.errors.NodeNameTaken": ExitCode.NODE_NAME_TAKEN,
    "blindrelay.relay.errors.OfficeTaken": ExitCode.OFFICE_TAKEN,
    "blindrelay.relay.errors.AddressInUse": ExitCode.ADDRESS_IN_USE,
    "blindrelay.console.errors.ConsoleError": ExitCode.FAILED,
    "blindrelay.console.errors.AddressInUse": ExitCode.ADDRESS_IN_USE,
    "blindrelay.console.errors.NotPrivate": ExitCode.USAGE,
    "blindrelay.relay.errors.NeedsMigration": ExitCode.NEEDS_MIGRATION,
    "blindrelay.relay.errors.StoreUnreachable": ExitCode.STORE_UNREACHABLE,
    "blindrelay.witness.errors.WitnessError": ExitCode.FAILED,
    "blindrelay.witness.errors.NoWitness": ExitCode.NOT_ENROLLED,
    "blindrelay.witness.errors.FolderInUse": ExitCode.DATA_DIRECTORY_IN_USE,
    "blindrelay.witness.errors.Unreadable": ExitCode.DATA_DIRECTORY_UNREADABLE,
    "blindrelay.witness.errors.AddressInUse": ExitCode.ADDRESS_IN_USE,
}


def exit_code_of(error: BlindrelayError) -> ExitCode:
    """The exit code of an error, or of the nearest class above it that has one."""
    for kind in type(error).__mro__:
        code = BY_CLASS.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return code
    if isinstance(error, VerificationFailed):
        return ExitCode.IDENTITY_REJECTED
    return ExitCode.MALFORMED if isinstance(error, Malformed) else ExitCode.FAILED
