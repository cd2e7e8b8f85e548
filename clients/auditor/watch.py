"""What in the log `directory` is not as it should be, for whoever knows what should be: an enterprise its certificates, its
roots and its revocations; a person their own devices.

| check        | what it finds                                                                                        |
|--------------|------------------------------------------------------------------------------------------------------|
| `root`       | a root is entered for the enterprise that is not its own: everybody would be shown devices of another CA |
| `device`     | a device that the enterprise did not enrol, or that is not the person's                              |
| `account`    | a device of the enterprise, entered in the name of another account                                   |
| `archive`    | a compliance archive that is entered as an ordinary device, or the other way round                   |
| `revocation` | a revocation that the enterprise did not make                                                        |
| `revoked`    | a device states something after it was revoked                                                       |
| `left`       | the enterprise is entered as having left, and did not say so itself                                  |
| `sequence`   | a device states something with a number that is not higher than the one before: it may be old          |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.enterprise.ca import Certificates
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.certificates import fingerprint, is_archive, subject_of
from blindrelay.protocol.transparency.directory import (
    DeviceRevoked,
    DeviceStated,
    Entry,
    TenantEntered,
    TenantLeft,
    account_label,
)


@dataclass(frozen=True, slots=True)
class Own:
    """What is known to be right.

    Attributes:
        tenant: whose enterprise it is about.
        root: SHA-256 of its root certificate (DER), hexadecimal.
        account: the label of the one account that it is about; None: all of the enterprise's.
        devices: by the SHA-256 of their certificates: the labels of their accounts.
        archives: which of them are compliance archives; None where that is not known.
        revoked: SHA-256 of the certificates that the enterprise has withdrawn; None where that is not known.
        left: digests of what the enterprise has signed to leave; None where that is not known.
    """

    tenant: str
    root: str
    account: str | None
    devices: Mapping[str, str]
    archives: frozenset[str] | None
    revoked: frozenset[str] | None
    left: frozenset[str] | None = None

    @classmethod
    def of_enterprise(cls, certificates: Certificates) -> Self:
        """All that its CA has signed counts, and nothing else."""
        subjects = {fingerprint(each).hex(): subject_of(each) for each in certificates.issued}
        root = certificates.root.public_bytes(Encoding.DER)
        devices = {
            digest: account_label(subject.owner, root)
            for digest, subject in subjects.items()
            if isinstance(subject, DeviceAddress)
        }
        archives = frozenset(fingerprint(each).hex() for each in certificates.issued if is_archive(each))
        revoked = frozenset(each.hex() for each in certificates.revoked)
        digest = fingerprint(certificates.root).hex()
        return cls(certificates.tenant, digest, None, devices, archives, revoked, certificates.left)

    @classmethod
    def of_account(cls, user: UserAddress, root: x509.Certificate, devices: Iterable[str]) -> Self:
        """The user's own devices count, by the SHA-256 of their certificates: also against what their enterprise has signed."""
        label = account_label(user, root.public_bytes(Encoding.DER))
        return cls(user.tenant, fingerprint(root).hex(), label, dict.fromkeys(devices, label), None, None)

    def is_about(self, entry: Entry) -> bool:
        """Whether the entry is about this enterprise, or this account."""
        if entry.tenant != self.tenant:
            return False
        if isinstance(entry, TenantEntered | TenantLeft):
            return True
        return self.account is None or entry.account == self.account

    def objection(self, entry: Entry) -> tuple[str, str] | None:
        """What is wrong with an entry that `is_about` us, whatever came before it: the check, and a sentence."""
        return self._left(entry) if isinstance(entry, TenantLeft) else self._objection(entry)

    def _objection(self, entry: TenantEntered | DeviceStated | DeviceRevoked) -> tuple[str, str] | None:
        match entry:
            case TenantEntered() if entry.root != self.root:
                return (
                    "root",
                    f"a root is entered for {self.tenant} that is not its own: its certificate is {entry.root}",
                )
            case DeviceStated() if entry.certificate not in self.devices:
                whose = "that it did not enrol" if self.account is None else "that is none of this account's own"
                what = "a compliance archive" if entry.archive else "a device"
                return "device", f"{what} of {self.tenant} is entered {whose}: its certificate is {entry.certificate}"
            case DeviceStated() if entry.account != self.devices[entry.certificate]:
                return "account", f"the device with the certificate {entry.certificate} is entered for another account"
            case DeviceStated() if self.archives is not None and entry.archive != (entry.certificate in self.archives):
                said = "as an archive, and is none" if entry.archive else "as no archive, and is one"
                return "archive", f"the device with the certificate {entry.certificate} is entered {said}"
            case DeviceRevoked() if self.revoked is not None and entry.certificate not in self.revoked:
                return "revocation", f"{self.tenant} did not revoke the device with the certificate {entry.certificate}"
        return None

    def _left(self, entry: TenantLeft) -> tuple[str, str] | None:
        if entry.root == self.root and (self.left is None or entry.leaving in self.left):
            return None
        return "left", f"{self.tenant} is entered as having left, and did not say so: the relay has put it out"


@dataclass(slots=True)
class History:
    """What the log has said before about devices that we watch, by the SHA-256 of their certificates.

    Attributes:
        sequences: the last statement: the index of its entry, and its number.
        revoked: the index of the revocation.
    """

    sequences: dict[str, tuple[int, int]] = field(default_factory=dict)
    revoked: dict[str, int] = field(default_factory=dict)

    def follow(self, index: int, entry: Entry) -> tuple[str, str] | None:
        """Take an entry in; what is wrong with it after those before it."""
        match entry:
            case DeviceRevoked():
                self.revoked.setdefault(entry.certificate, index)
            case DeviceStated():
                before = self.sequences.get(entry.certificate)
                self.sequences[entry.certificate] = (index, entry.sequence)
                if (revoked := self.revoked.get(entry.certificate)) is not None:
                    what = f"states something, and entry {revoked} revoked it"
                    return "revoked", f"the device with the certificate {entry.certificate} {what}"
                if before is not None and entry.sequence <= before[1]:
                    old, number = before
                    what = f"states number {entry.sequence} after number {number} in entry {old}"
                    return "sequence", f"the device with the certificate {entry.certificate} {what}"
        return None
