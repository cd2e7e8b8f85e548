"""Who may come in: certificate, user name and password -> identity, or the reason why not.

The TLS handshake has verified the certificate against the roots of all tenants together. Here it is verified against the root
of the one tenant that it names: without that, any tenant's CA could issue for any other tenant's people.
"""

from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from cryptography import x509
from mqtt5 import ConnAckReasonCode, ConnectPacket

from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.certificates import Subject, load, subject_of, verify
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import REGISTRAR, token_matches
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.relay.accounts import Accounts, OutOfNumbers, TooManyDevices, Write
from blindrelay.relay.errors import ConnectRefused
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Registrar, SealedSender
from blindrelay.relay.ports import Admitted

# Compared with when there is no such user, so that an unknown user costs what a wrong token costs.
_NOBODYS_VERIFIER: Final = bytes(32)


class Admission:
    """The door.

    Args:
        accounts: who is known.
        clock: certificates are valid for a time.
        registration_code: the password of the registrar.
        sealed: whether senders without certificate are admitted.
        record: makes a new device or certificate durable, in the next commit and before anything that is put there later.
        until: is told of every admitted certificate's end, seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - each is another part of the relay's
        self,
        accounts: Accounts,
        clock: Clock,
        *,
        registration_code: str,
        sealed: bool,
        record: Callable[[DeviceIdentity, Write], None],
        until: Callable[[float], None],
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._registration_code = registration_code.encode()
        self._sealed = sealed
        self._record = record
        self._until = until

    def admit(self, certificate: bytes | None, address: str, connect: ConnectPacket) -> Admitted:
        """Decide on a CONNECT whose form has been checked; raise `ConnectRefused`. `address` is not asked for who it is."""
        if certificate is None:
            return self._admit_anonymous(connect.username, connect.password)
        if connect.username is not None or connect.password is not None:
            raise ConnectRefused(
                ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD,
                "a client with a certificate has no user name and no password: leave them out",
            )
        return self._admit_certified(certificate)

    def _admit_certified(self, der: bytes) -> Admitted:
        try:
            certificate = load(der)
            subject = self._verified(certificate)
        except Malformed as error:
            raise _not_authorised(str(error)) from error
        except VerificationFailed as error:
            raise _not_authorised(f"the certificate is not accepted: {error}") from error
        fingerprint = sha256(der).digest()
        if self._accounts.is_revoked(fingerprint):
            raise _not_authorised("the certificate has been revoked")
        expires_at = certificate.not_valid_after_utc.timestamp()
        self._until(expires_at)
        if not isinstance(subject, DeviceAddress):
            administrator = AdministratorIdentity(subject.tenant, fingerprint, expires_at)
            return Admitted(administrator, client_id=None, account_id=None)
        # Before anything is written down about it.
        if (reason := self._accounts.suspensions.reason(subject.tenant)) is not None:
            # 0x88 and not "banned" (0x8A): a client is to come back by itself when the service does.
            raise ConnectRefused(ConnAckReasonCode.SERVER_UNAVAILABLE, reason)
        try:
            device, write = self._accounts.welcome(subject, der, fingerprint)
        except TooManyDevices as error:
            raise ConnectRefused(ConnAckReasonCode.QUOTA_EXCEEDED, str(error)) from error
        except OutOfNumbers as error:
            raise ConnectRefused(ConnAckReasonCode.SERVER_BUSY, str(error)) from error
        identity = DeviceIdentity(subject, device.account_id, der, fingerprint, expires_at)
        if write is not None:
            self._record(identity, write)
        return Admitted(identity, client_id=str(subject), account_id=device.account_id)

    def _verified(self, certificate: x509.Certificate) -> Subject:
        named = subject_of(certificate).tenant
        tenant = self._accounts.tenant(named)
        if tenant is None and named in self._accounts.departed:
            # Whoever has a certificate knows the name, and the public log has it: this is no news to anybody.
            raise VerificationFailed("tenant", f"{named} has left this relay")
        if tenant is None:
            raise VerificationFailed("tenant", f"{named} is not registered here")
        return verify(certificate, tenant.root, named, self._clock.now())

    def _admit_anonymous(self, username: str | None, password: bytes | None) -> Admitted:
        if username is None:
            raise _not_authorised("a client needs a certificate, or a user name and a password")
        # Absent and empty are as wrong as any other (CVE-2016-9877), and all take the same way from here.
        secret = password or b""
        if username == REGISTRAR:
            return self._admit_registrar(secret)
        try:
            user = UserAddress.parse(username)
        except Malformed:
            user = None
        verifiers = self._accounts.verifiers(user) if user is not None and self._sealed else []
        matching = [verifier for verifier in verifiers or [_NOBODYS_VERIFIER] if token_matches(secret, verifier)]
        if user is None or not verifiers or not matching:
            raise _bad_password()
        return Admitted(SealedSender(user, matching[0]), client_id=None, account_id=None)

    def _admit_registrar(self, secret: bytes) -> Admitted:
        if not compare_digest(sha256(secret).digest(), sha256(self._registration_code).digest()):
            raise _bad_password()
        return Admitted(Registrar(), client_id=None, account_id=None)


def _not_authorised(reason: str) -> ConnectRefused:
    return ConnectRefused(ConnAckReasonCode.NOT_AUTHORIZED, reason)


def _bad_password() -> ConnectRefused:
    return ConnectRefused(ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD, "user name or password is wrong")
