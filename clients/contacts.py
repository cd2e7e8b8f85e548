"""Whom this device knows: pinned tenant roots, verified devices, delivery tokens, verified marks.

Everything about somebody else comes from the relay's directory or from the introduction in their first message, and is
believed only after these checks, in this order; an `IdentityRejected` names the one that failed:

| check              | what                                                                                          |
|--------------------|-----------------------------------------------------------------------------------------------|
| `root`             | the tenant's root is a root for that tenant                                                   |
| `root-changed`     | it is the one that was pinned when the tenant was first met (trust on first use)              |
| `user`             | the entry's devices belong to the user that was asked for                                     |
| `certificate`      | it is a certificate of ours at all                                                            |
| `tenant`, `key`, `chain` | the root vouches for the certificate, now (`protocol.certificates.verify`)              |
| `device`           | certificate and statement name the device that the entry names                                |
| `device-statement` | the statement is signed with the certificate's key                                            |
| `sequence`         | no statement of the device that was seen had a higher sequence, or the same and other keys     |
| `identity-key`, `sealing-key` | the keys are not of small order                                                    |

Later: `unknown` (nothing was ever verified), `withdrawn` (not listed any more), `prekey`, `prekey-repeated`, `token`.
"""

from dataclasses import dataclass, replace
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import Field, TypeAdapter

from blindrelay.clients.envelope import Introduction, check_sealing_key
from blindrelay.clients.errors import IdentityRejected
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.clients.safety import mark_of, number_of
from blindrelay.protocol import certificates
from blindrelay.protocol.address import DeviceAddress, DeviceField, UserAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import TOKEN_LENGTH, DeliveryToken, token_matches
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.rpc import UserEntry
from blindrelay.protocol.statements import DeviceStatement, Key32, Prekey, Purpose, SealingKey, Signed, Wire


class ContactDevice(Wire):
    """A device that proved itself.

    `key_fingerprint` is SHA-256 of its certificate key (SubjectPublicKeyInfo), `not_after` the end of its certificate in
    epoch seconds, `listed` whether the last directory entry had it: only then is it written to. A device that a directory entry
    does not have any more is `withdrawn`: its messages are refused, also those that it sent before.
    """

    address: DeviceField
    certificate: bytes = Field(repr=False)
    key_fingerprint: Key32
    not_after: int
    archive: bool
    sequence: int
    statement_digest: Key32
    identity_key: Key32
    signing_key: Key32
    sealing_key: SealingKey = Field(repr=False)
    token_verifier: Key32
    listed: bool
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """A user and the devices of theirs that proved themselves; `rejected` are those of the last entry that did not."""

    user: UserAddress
    devices: tuple[ContactDevice, ...]
    rejected: tuple[IdentityRejected, ...] = ()

    @property
    def recipients(self) -> tuple[ContactDevice, ...]:
        """The devices that a message to this user goes to."""
        return tuple(device for device in self.devices if device.listed)

    @property
    def archives(self) -> tuple[ContactDevice, ...]:
        """The compliance archives among them: whoever writes to the user is to be shown these."""
        return tuple(device for device in self.recipients if device.archive)


_DEVICES = TypeAdapter(list[ContactDevice])
# Prekeys that are remembered of a device, and how much of each one's digest.
_MAX_CLAIMED = 256
_CLAIMED_BYTES = 16


class Contacts:
    """Whom one device knows, kept in its key store."""

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._epoch = store.epoch
        self._known: dict[UserAddress, Contact] = {}

    # ---- tenants

    def root(self, tenant: str) -> x509.Certificate | None:
        """The pinned root of `tenant`, or None while it was never met."""
        der = self._store.get(Space.ROOT, tenant)
        return None if der is None else certificates.load(der)

    def pin_root(self, tenant: str, root: bytes) -> x509.Certificate:
        """Trust `root` (DER) on first use; afterwards accept only that one.

        Raises:
            IdentityRejected: "root" or "root-changed".
        """
        try:
            certificate = certificates.load(root)
            certificates.check_root(certificate, tenant)
        except (Malformed, VerificationFailed) as error:
            raise IdentityRejected(tenant, "root", str(error)) from None
        pinned = self._store.get(Space.ROOT, tenant)
        if pinned is None:
            self._store.put(Space.ROOT, tenant, root)
        elif pinned != root:
            raise IdentityRejected(
                tenant, "root-changed", "its root certificate is not the one that was pinned; ask the enterprise why"
            )
        return certificate

    # ---- users and devices

    def accept(self, entry: UserEntry) -> Contact:
        """Verify a directory entry and keep what holds. A device that does not prove itself is not used.

        Raises:
            IdentityRejected: the root, or each of the devices, was refused.
        """
        with self._store.transaction():
            root = self.pin_root(entry.user.tenant, entry.root)
            known = {device.address: device for device in self._devices(entry.user)}
            # Whoever is not in the entry any more is kept, unlisted: their sequence must not start again.
            gone = {"listed": False, "withdrawn": True}
            merged = {address: device.model_copy(update=gone) for address, device in known.items()}
            rejected: list[IdentityRejected] = []
            for item in entry.devices:
                try:
                    if item.device.owner != entry.user:
                        raise _rejected(item.device, "user", f"it is not a device of {entry.user}")
                    introduction = Introduction(item.certificate, item.statement)
                    merged[item.device] = self._verify(item.device, introduction, root, known.get(item.device))
                except IdentityRejected as error:
                    rejected.append(error)
            if rejected and len(rejected) == len(entry.devices):
                raise rejected[0]
            contact = Contact(entry.user, tuple(merged[address] for address in sorted(merged)), tuple(rejected))
            self._keep(contact)
            return contact

    def introduce(self, sender: DeviceAddress, introduction: Introduction) -> ContactDevice:
        """Verify what came with a first message. The device is known then, and not written to before it is looked up.

        Raises:
            IdentityRejected: a check failed ("root": the tenant's root is not pinned yet).
        """
        root = self.root(sender.tenant)
        if root is None:
            raise _rejected(sender, "root", "its tenant's root is not known yet")
        known = self.device(sender)
        if known is not None and known.statement_digest == sha256(introduction.statement.body).digest():
            return known
        device = self._verify(sender, introduction, root, known)
        if known is not None and known.withdrawn and known.certificate == device.certificate:
            raise _rejected(sender, "withdrawn", "its enterprise does not list it any more")
        device = device.model_copy(update={"listed": known is not None and known.listed})
        others = [other for other in self._devices(sender.owner) if other.address != sender]
        self._keep(Contact(sender.owner, tuple(sorted([*others, device], key=lambda each: each.address))))
        return device

    def contact(self, user: UserAddress) -> Contact | None:
        """What is known of `user`, or None."""
        if self._epoch != self._store.epoch:
            self._known.clear()
            self._epoch = self._store.epoch
        contact = self._known.get(user)
        if contact is None and (stored := self._store.get(Space.CONTACT, str(user))) is not None:
            contact = self._known[user] = Contact(user, tuple(_DEVICES.validate_json(stored)))
        return contact

    def device(self, address: DeviceAddress) -> ContactDevice | None:
        """What is known of a device, or None."""
        return next((device for device in self._devices(address.owner) if device.address == address), None)

    def current_device(self, address: DeviceAddress) -> ContactDevice:
        """A device that may be believed now.

        Raises:
            IdentityRejected: "unknown", "withdrawn", or "chain" when its certificate has expired meanwhile.
        """
        device = self.device(address)
        if device is None:
            raise _rejected(address, "unknown", "it never introduced itself")
        if device.withdrawn:
            raise _rejected(address, "withdrawn", "its enterprise does not list it any more")
        if device.not_after < self._clock.now():
            raise _rejected(address, "chain", "its certificate has expired")
        return device

    def all(self) -> list[Contact]:
        """Everybody, sorted by address."""
        users = sorted(UserAddress.parse(name) for name, _ in self._store.items(Space.CONTACT))
        return [contact for user in users if (contact := self.contact(user)) is not None]

    def check_prekey(self, address: DeviceAddress, prekey: Signed) -> bytes:
        """The Curve25519 key of a claimed prekey, once it is clear that it is `address`'s.

        Raises:
            IdentityRejected: "unknown", "chain", "prekey" or "prekey-repeated".
        """
        device = self.current_device(address)
        key = certificates.public_key(certificates.load(device.certificate))
        try:
            opened = prekey.open_as(Purpose.PREKEY, Prekey, key)
        except (VerificationFailed, Malformed) as error:
            raise _rejected(address, "prekey", str(error)) from None
        if opened.device != address:
            raise _rejected(address, "prekey", f"it is one of {opened.device}")
        if opened.kind == "one-time":
            self._check_new(address, opened.key)
        return opened.key

    def _check_new(self, address: DeviceAddress, key: bytes) -> None:
        """A one-time key is handed out once. Twice, and two sessions share what was to be one's alone."""
        digest = sha256(key).digest()[:_CLAIMED_BYTES]
        kept = self._store.get(Space.CLAIMED, str(address)) or b""
        if digest in {kept[at : at + _CLAIMED_BYTES] for at in range(0, len(kept), _CLAIMED_BYTES)}:
            raise _rejected(
                address, "prekey-repeated", "the relay hands out a one-time key that it has handed out before"
            )
        self._store.put(Space.CLAIMED, str(address), (kept + digest)[-_CLAIMED_BYTES * _MAX_CLAIMED :])

    # ---- delivery tokens

    def learn_token(self, user: UserAddress, token: bytes) -> None:
        """Keep the token with which to write to `user` without saying who writes.

        Raises:
            IdentityRejected: "token": it is not the one that the user's devices state, or none of them is known.
        """
        devices = self._devices(user)
        if len(token) != TOKEN_LENGTH or not any(token_matches(token, device.token_verifier) for device in devices):
            raise IdentityRejected(str(user), "token", "the delivery token is not the one that their devices state")
        self._store.put(Space.TOKEN, str(user), token)

    def token(self, user: UserAddress) -> DeliveryToken | None:
        """The user's delivery token, or None."""
        value = self._store.get(Space.TOKEN, str(user))
        return None if value is None else DeliveryToken(value)

    # ---- comparing in person

    def safety_number(self, own: UserAddress, other: UserAddress) -> str:
        """Sixty digits in twelve groups, the same on both sides (see `safety`).

        Raises:
            IdentityRejected: "unknown": one of the two was not looked up yet (one's own user counts, too).
        """
        return number_of(self._identity(own), self._identity(other))

    def mark_verified(self, own: UserAddress, other: UserAddress) -> None:
        """The two people have compared the number. The mark lapses when it changes."""
        self._store.put(Space.VERIFIED, str(other), mark_of(self._identity(own), self._identity(other)))

    def is_verified(self, own: UserAddress, other: UserAddress) -> bool:
        """Whether the number was compared, and is still the one that was compared."""
        mark = self._store.get(Space.VERIFIED, str(other))
        return mark is not None and mark == mark_of(self._identity(own), self._identity(other))

    def _identity(self, user: UserAddress) -> tuple[str, bytes, dict[str, bytes]]:
        root, contact = self.root(user.tenant), self.contact(user)
        if root is None or contact is None or not contact.recipients:
            raise IdentityRejected(str(user), "unknown", "look them up first")
        return (
            str(user),
            _key_fingerprint(root),
            {str(each.address): each.key_fingerprint for each in contact.recipients},
        )

    # ---- inside

    def _devices(self, user: UserAddress) -> tuple[ContactDevice, ...]:
        contact = self.contact(user)
        return () if contact is None else contact.devices

    def _keep(self, contact: Contact) -> None:
        self._store.put(Space.CONTACT, str(contact.user), _DEVICES.dump_json(list(contact.devices)))
        self._known[contact.user] = replace(contact, rejected=())

    def _verify(
        self, address: DeviceAddress, introduction: Introduction, root: x509.Certificate, known: ContactDevice | None
    ) -> ContactDevice:
        certificate, statement = self._check_signatures(address, introduction, root)
        digest = sha256(introduction.statement.body).digest()
        if known is not None and statement.sequence < known.sequence:
            raise _rejected(address, "sequence", f"{statement.sequence} after {known.sequence}: it is an old statement")
        if known is not None and statement.sequence == known.sequence and digest != known.statement_digest:
            raise _rejected(address, "sequence", f"there are two statements with number {statement.sequence}")
        _check_keys(address, statement)
        return ContactDevice(
            address=address,
            certificate=introduction.certificate,
            key_fingerprint=_key_fingerprint(certificate),
            not_after=int(certificate.not_valid_after_utc.timestamp()),
            archive=certificates.is_archive(certificate),
            sequence=statement.sequence,
            statement_digest=digest,
            identity_key=statement.identity_key,
            signing_key=statement.signing_key,
            sealing_key=statement.sealing_key,
            token_verifier=statement.token_verifier,
            listed=True,
        )

    def _check_signatures(
        self, address: DeviceAddress, introduction: Introduction, root: x509.Certificate
    ) -> tuple[x509.Certificate, DeviceStatement]:
        try:
            certificate = certificates.load(introduction.certificate)
            subject = certificates.verify(certificate, root, address.tenant, self._clock.now())
        except Malformed as error:
            raise _rejected(address, "certificate", str(error)) from None
        except VerificationFailed as error:
            raise _rejected(address, error.check, error.reason) from None
        if subject != address:
            raise _rejected(address, "device", f"its certificate is that of {subject}")
        try:
            statement = introduction.statement.open_as(
                Purpose.STATEMENT, DeviceStatement, certificates.public_key(certificate)
            )
        except (VerificationFailed, Malformed) as error:
            raise _rejected(address, "device-statement", str(error)) from None
        if statement.device != address:
            raise _rejected(address, "device", f"its statement is that of {statement.device}")
        return certificate, statement


def _check_keys(address: DeviceAddress, statement: DeviceStatement) -> None:
    """Refuse points of small order before they get anywhere near a ratchet: with them everybody knows the secret."""
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(statement.identity_key))
    except ValueError:
        raise _rejected(address, "identity-key", "it is a point of small order") from None
    try:
        check_sealing_key(statement.sealing_key)
    except ValueError:
        raise _rejected(address, "sealing-key", "it is not a usable X-Wing key") from None


def _key_fingerprint(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(key).digest()


def _rejected(address: DeviceAddress, check: str, reason: str) -> IdentityRejected:
    return IdentityRejected(str(address), check, reason)
