"""What can go wrong on the client's side, as types.

ClientError
 +- NotEnrolled          no certificate, folder or enterprise where one was expected
 +- RelayUnreachable     nobody answers at the relay's address
 |   +- HungUp           somebody does, and hangs up before it has said anything
 +- AdmissionRefused     the relay answers, and refuses this connection
 +- ConnectionLost       the connection ended while something waited for it
 +- TimedOut             the time that the caller allowed has passed (also a `TimeoutError`)
 +- Closed               the device is closed, or was never entered with `async with`
 +- RequestRefused       the relay refused a request (look-up, registration, ...)
 |   +- UnknownRecipient the relay knows no such user, or none that may be written to
 +- DeliveryRefused      the relay refused a message for good
 +- IdentityRejected     a directory entry or message is not what its owner's enterprise vouches for
 |   +- HistoryRejected  the public log of the directory does not hold: what one is shown is not what all are shown
 +- LogRejected          a public log, read as an auditor reads it, does not hold; `check` says which check failed
 +- NoDeliveryToken      sealed posture towards somebody who never gave us their token
 +- Expired              the message's time was over before it could be sent
 +- NotPossible          a retraction of somebody else's message, a mail without recipients, ...
 +- Unreadable           something arrived that cannot be read; it touches nothing else
 |   +- EnvelopeRejected not sealed for this device under this message id, or broken inside; `check` says which
 |   +- RatchetRejected  no session decrypts it: a replay, a lost session, a forged or damaged message
 |   +- ContentRejected  it decrypts, and says nothing that this version understands
 +- ContentTooLarge      more than one message may hold
 +- StoreError           the key store cannot be read or written
 |   +- WrongPassphrase  the key store does not open with this passphrase
 |   +- StoreInUse       another process has the key store open
 |   +- StoreDamaged     a value was altered, or the file is no key store
 |   +- StoreTooNew      a newer version of this program wrote it
 |   +- StoreFailed      the disk refuses; nothing of the transaction was kept
 +- AuthorityError       the enterprise's own CA: there already, not there, damaged
     +- AuthorityLocked  it does not open without a passphrase, or not with this one
"""

from blindrelay.protocol.errors import BlindrelayError


class ClientError(BlindrelayError):
    """The root of what clients raise."""


class NotEnrolled(ClientError):
    """There is no device, administrator or enterprise where one was expected."""


class RelayUnreachable(ClientError):
    """Nobody answers at the relay's address, or it is not the relay whose certificate we hold."""


class HungUp(RelayUnreachable):
    """The relay closed the connection before it answered. So it does with certificates of enterprises it does not know."""


class AdmissionRefused(ClientError):
    """The relay refused the connection; `code` is the reason code of its CONNACK or DISCONNECT (MQTT 5, 2.4), `elsewhere` its
    Server Reference, if it has one."""

    def __init__(self, code: int, reason: str, elsewhere: str = "") -> None:
        super().__init__(f"the relay refused the connection: {reason} (0x{code:02x})")
        self.code = code
        self.reason = reason
        self.elsewhere = elsewhere


class ConnectionLost(ClientError):
    """The connection ended before the answer came. What was sent may have had its effect."""


class TimedOut(ClientError, TimeoutError):
    """The time that the caller allowed has passed."""


class Closed(ClientError):
    """The device is closed."""


class RequestRefused(ClientError):
    """The relay refused a request; `code` is one of `protocol.rpc.ErrorCode`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnknownRecipient(RequestRefused):
    """The relay knows no such user, or none that we may write to: it does not say which."""


class DeliveryRefused(ClientError):
    """The relay refused a message for good; `code` is the reason code of its PUBACK (MQTT 5, 3.4.2.1)."""

    def __init__(self, recipient: str, code: int, reason: str) -> None:
        super().__init__(f"the relay does not take the message for {recipient}: {reason} (0x{code:02x})")
        self.recipient = recipient
        self.code = code
        self.reason = reason


class IdentityRejected(ClientError):
    """Somebody's identity does not hold; `check` names the check that failed. Nothing was sent."""

    def __init__(self, subject: str, check: str, reason: str) -> None:
        super().__init__(f"{subject} is not trusted: the check {check!r} failed: {reason}")
        self.subject = subject
        self.check = check
        self.reason = reason


class HistoryRejected(IdentityRejected):
    """The public log of the directory does not hold; `check` is one of those of `clients.heads`. Nothing was sent."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__("the relay's directory", check, reason)


class LogRejected(ClientError):
    """A public log is not what its checkpoints say, or these contradict each other; `check`: see `clients.auditor`."""

    def __init__(self, log: str, check: str, reason: str) -> None:
        super().__init__(f"the log {log} does not hold: the check {check!r} failed: {reason}")
        self.log = log
        self.check = check
        self.reason = reason


class NoDeliveryToken(ClientError):
    """Sealed posture needs the recipient's delivery token, which travels inside their messages."""


class Expired(ClientError):
    """The message's time was over before it could be sent, or before it arrived. It is not shown."""


class NotPossible(ClientError):
    """What was asked for makes no sense as it stands; the message says why."""


class StoreError(ClientError):
    """The key store cannot be read or written."""


class WrongPassphrase(StoreError):
    """The key store does not open with this passphrase."""


class StoreInUse(StoreError):
    """Another process has the key store open."""


class StoreDamaged(StoreError):
    """A value in the key store was altered, or the file is not a key store."""


class StoreTooNew(StoreError):
    """A newer version of this program wrote the key store."""


class StoreFailed(StoreError):
    """The disk refused a read or a write. Nothing of the transaction was kept."""


class Unreadable(ClientError):
    """An incoming envelope cannot be read. That is its sender's or the network's doing and touches nothing else."""


class EnvelopeRejected(Unreadable):
    """The outer seal, or the frame inside it, does not hold.

    Attributes:
        check: `size`, `seal` (not for this device, not under this id, or altered), `frame` or `padding`.
    """

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(f"an envelope was rejected by the check {check!r}: {reason}")
        self.check = check
        self.reason = reason


class RatchetRejected(Unreadable):
    """No session with the sender decrypts the message."""


class ContentRejected(Unreadable):
    """The message decrypts, but its content is malformed, too long, or of a kind that this version does not know."""


class ContentTooLarge(ClientError):
    """What is to be sent is more than one message may hold."""


class AuthorityError(ClientError):
    """The enterprise's own certificate authority cannot be created or opened."""


class AuthorityLocked(AuthorityError):
    """The authority's secrets are sealed, and no passphrase or a wrong one was given."""
