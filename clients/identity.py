"""What this device is: its certificate and key, its ratchet account, its sealing keys, and the statement that ties them.

All of it lives in the key store. The private keys never leave it but for the TLS context of the device's own connection.
"""

from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from pydantic import Field

from blindrelay.clients.envelope import Introduction, SealingKeyPair
from blindrelay.clients.errors import IdentityRejected, NotEnrolled, StoreDamaged
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.clients.ratchet import Ratchet
from blindrelay.protocol import certificates
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.errors import VerificationFailed
from blindrelay.protocol.rpc import MAX_ONE_TIME_PREKEYS, PublishPrekeys
from blindrelay.protocol.sizes import MAX_TTL
from blindrelay.protocol.statements import DeviceStatement, Prekey, Purpose, Signed, Wire

# What is sealed in a week is what a stolen sealing key opens; the ratchet inside is still closed.
ROTATE_SEALING_KEY_AFTER = 7 * 86_400
# An envelope may wait for MAX_TTL, and its sender may have looked us up a week before.
KEEP_SEALING_KEY_FOR = MAX_TTL + ROTATE_SEALING_KEY_AFTER
# vodozemac keeps the fallback key and the one before: at this pace the one before outlives every message that used it.
ROTATE_FALLBACK_AFTER = MAX_TTL


class _SealingKey(Wire):
    seeds: Annotated[bytes, Field(min_length=96, max_length=96, repr=False)]
    made_at: int


class _State(Wire):
    """What changes over time. `sealing` has the current key first."""

    sealing: Annotated[list[_SealingKey], Field(min_length=1, repr=False)]
    sequence: int
    statement: Signed
    fallback_at: int = 0


class OwnIdentity:
    """What this device is and signs with. Rotate outside of transactions: what is in memory is not rolled back."""

    def __init__(self, store: KeyStore, state: _State) -> None:
        self._store = store
        self._key = _load_key(_stored(store, "key"))
        self.certificate = certificates.load(_stored(store, "certificate"))
        self.root = certificates.load(_stored(store, "root"))
        self.token = DeliveryToken(_stored(store, "token"))
        self.address = _device_of(self.certificate)
        self.ratchet = Ratchet(store)
        self._set(state)

    def __repr__(self) -> str:
        return f"OwnIdentity({self.address})"

    @classmethod
    def create(
        cls,
        store: KeyStore,
        *,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        root: x509.Certificate,
        token: DeliveryToken,
        clock: Clock,
    ) -> "OwnIdentity":
        """Make this store that of the device which `certificate` names: ratchet account, sealing key, first statement.

        Raises:
            IdentityRejected: certificate, key and root do not belong together.
        """
        address = _device_of(certificate)
        try:
            certificates.check_root(root, address.tenant)
            certificates.verify(certificate, root, address.tenant, clock.now())
        except VerificationFailed as error:
            raise IdentityRejected(str(address), error.check, error.reason) from None
        if _public_bytes(key.public_key()) != _public_bytes(certificates.public_key(certificate)):
            raise IdentityRejected(str(address), "key", "the certificate is for another key")
        with store.transaction():
            store.put(Space.IDENTITY, "key", key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
            store.put(Space.IDENTITY, "certificate", certificate.public_bytes(Encoding.DER))
            store.put(Space.IDENTITY, "root", root.public_bytes(Encoding.DER))
            store.put(Space.IDENTITY, "token", token.value)
            ratchet, pair, now = Ratchet(store), SealingKeyPair.generate(), int(clock.now())
            keys = _state_keys(address, ratchet, pair, token, sequence=now, now=now)
            statement = Signed.create(Purpose.STATEMENT, keys, key)
            state = _State(sealing=[_SealingKey(seeds=pair.seeds, made_at=now)], sequence=now, statement=statement)
            store.put(Space.IDENTITY, "state", state.model_dump_json().encode())
        return cls(store, state)

    @classmethod
    def load(cls, store: KeyStore) -> "OwnIdentity":
        """The device whose store this is.

        Raises:
            NotEnrolled: it is nobody's yet.
            StoreDamaged
        """
        stored = store.get(Space.IDENTITY, "state")
        if stored is None:
            raise NotEnrolled("the key store belongs to no device yet: enrol it first")
        return cls(store, _State.model_validate_json(stored))

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The certificate's private key, for the TLS context of the device's own connection."""
        return self._key

    @property
    def sealing_keys(self) -> tuple[SealingKeyPair, ...]:
        """The current pair, then those before it that envelopes may still be sealed to."""
        return self._pairs

    @property
    def introduction(self) -> Introduction:
        """What goes with a first message."""
        return Introduction(self.certificate.public_bytes(Encoding.DER), self._state.statement)

    def statement(self) -> Signed:
        """The current signed statement: to be published at each start."""
        return self._state.statement

    def rotation_due(self, clock: Clock) -> bool:
        """Whether the sealing key has done its time."""
        return clock.now() - self._state.sealing[0].made_at >= ROTATE_SEALING_KEY_AFTER

    def rotate_sealing_key(self, clock: Clock) -> Signed:
        """Make a new sealing key and a statement with a higher sequence: to be published. Older keys still open."""
        pair, now = SealingKeyPair.generate(), int(clock.now())
        # The date is the sequence, so that a device that was enrolled anew is ahead of what it stated before.
        sequence = max(self._state.sequence + 1, now)
        keys = _state_keys(self.address, self.ratchet, pair, self.token, sequence=sequence, now=now)
        statement = Signed.create(Purpose.STATEMENT, keys, self._key)
        kept = [old for old in self._state.sealing if now - old.made_at < KEEP_SEALING_KEY_FOR]
        sealing = [_SealingKey(seeds=pair.seeds, made_at=now), *kept]
        self._keep(self._state.model_copy(update={"sealing": sealing, "sequence": sequence, "statement": statement}))
        return statement

    def fallback_due(self, clock: Clock) -> bool:
        """Whether the relay needs a (new) fallback prekey."""
        return clock.now() - self._state.fallback_at >= ROTATE_FALLBACK_AFTER

    def prekeys(self, have: int, clock: Clock, *, fallback: bool) -> PublishPrekeys:
        """Fresh one-time prekeys to fill the relay up from the `have` that it has, and a new fallback key when wanted."""
        with self._store.transaction():
            one_time = self.ratchet.one_time_prekeys(max(0, MAX_ONE_TIME_PREKEYS - have))
            last = self.ratchet.fallback_prekey() if fallback else None
            if fallback:
                self._keep(self._state.model_copy(update={"fallback_at": int(clock.now())}))
        return PublishPrekeys(
            one_time=[self._sign_prekey("one-time", key) for key in one_time],
            fallback=None if last is None else self._sign_prekey("fallback", last),
        )

    def _sign_prekey(self, kind: str, key: bytes) -> Signed:
        prekey = Prekey.model_validate({"device": self.address, "kind": kind, "key": key})
        return Signed.create(Purpose.PREKEY, prekey, self._key)

    def _keep(self, state: _State) -> None:
        self._store.put(Space.IDENTITY, "state", state.model_dump_json().encode())
        self._set(state)

    def _set(self, state: _State) -> None:
        self._state = state
        self._pairs = tuple(SealingKeyPair.from_seeds(each.seeds) for each in state.sealing)


def _state_keys(
    address: DeviceAddress, ratchet: Ratchet, pair: SealingKeyPair, token: DeliveryToken, *, sequence: int, now: int
) -> DeviceStatement:
    return DeviceStatement(
        device=address,
        sequence=max(1, sequence),
        issued_at=now,
        identity_key=ratchet.identity_key,
        signing_key=ratchet.signing_key,
        sealing_key=pair.public,
        token_verifier=token.verifier,
    )


def _device_of(certificate: x509.Certificate) -> DeviceAddress:
    subject = certificates.subject_of(certificate)
    if not isinstance(subject, DeviceAddress):
        raise IdentityRejected(str(subject), "device", "the certificate is not that of a device")
    return subject


def _public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _stored(store: KeyStore, name: str) -> bytes:
    value = store.get(Space.IDENTITY, name)
    if value is None:
        raise StoreDamaged(f"the key store has lost the device's {name}: restore it from a backup")
    return value


def _load_key(der: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(der, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StoreDamaged("the stored device key is of another kind than it should be")
    return key
