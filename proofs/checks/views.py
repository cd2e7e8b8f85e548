"""What clients are shown and write to: devices that their enterprises have enrolled, and no others."""

from hashlib import sha256
from typing import Final

from cryptography import x509

from blindrelay.proofs.checks.grammar import Talk
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.manifest import Manifest
from blindrelay.protocol import certificates
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.rpc import CLAIM_PREKEYS, LOOK_UP_USER, ClaimedPrekeys, DeviceEntry, UserEntry
from blindrelay.protocol.statements import DeviceStatement, Prekey, Purpose

REASONS: Final = {
    "ghost": "an envelope goes to a device that its enterprise has not enrolled, or the directory names one",
    "substituted": "the directory names a key that is not the device's own",
    "prekey-reused": "a one-time prekey was handed out twice",
}


def examine(evidence: Evidence, passed: list[Talk], report: Report) -> None:
    """Compare with the enterprises' own books."""
    manifest = evidence.manifest
    books = {device for tenant in manifest.tenants.values() for device in tenant.enrolled}
    claimed: dict[bytes, str] = {}
    for talk in passed:
        _token(manifest, talk, report)
        for sent in talk.sent:
            if sent.recipient not in books:
                report.find("ghost", f"an envelope goes to {sent.recipient}, which its enterprise has never enrolled")
        for name, _, found in talk.answers:
            if name == LOOK_UP_USER.name and isinstance(found, UserEntry):
                _entry(manifest, books, found, report)
            if name == CLAIM_PREKEYS.name and isinstance(found, ClaimedPrekeys):
                _prekeys(found, talk, claimed, report)


def _token(manifest: Manifest, talk: Talk, report: Report) -> None:
    """Whoever writes anonymously shows what everybody shows: the recipient's one token."""
    if not talk.is_sealed:
        return
    report.examined("sealed connections")
    expected = {
        facts.token_sha256
        for address, facts in manifest.devices.items()
        if str(DeviceAddress.parse(address).owner) == talk.username
    }
    if sha256(talk.password).digest() not in expected:
        report.find(
            "linkable", f"connection {talk.connection.name} shows a token for {talk.username} that not everybody has"
        )


def _entry(manifest: Manifest, books: set[str], entry: UserEntry, report: Report) -> None:
    tenant = manifest.tenants.get(entry.user.tenant)
    if tenant is None or entry.root != tenant.root:
        report.find("substituted", f"the directory gives {entry.user.tenant} another root than its own")
        return
    root = certificates.load(tenant.root)
    for item in entry.devices:
        report.examined("directory entries")
        if str(item.device) not in books:
            report.find("ghost", f"the directory names {item.device}, which {entry.user.tenant} has never enrolled")
        _device(manifest, item, root, report)


def _device(manifest: Manifest, item: DeviceEntry, root: x509.Certificate, report: Report) -> None:
    try:
        certificate = certificates.load(item.certificate)
        subject = certificates.verify(certificate, root, item.device.tenant, manifest.began)
        statement = item.statement.open_as(Purpose.STATEMENT, DeviceStatement, certificates.public_key(certificate))
    except (Malformed, VerificationFailed) as error:
        report.find("substituted", f"the directory's entry of {item.device} does not verify: {error}")
        return
    facts = manifest.devices.get(str(item.device))
    if subject != item.device or statement.device != item.device:
        report.find("substituted", f"the directory's entry of {item.device} is that of {subject}")
    elif facts is not None and statement.identity_key != facts.identity_key:
        report.find("substituted", f"the directory names an identity key for {item.device} that is not its own")


def _prekeys(found: ClaimedPrekeys, talk: Talk, claimed: dict[bytes, str], report: Report) -> None:
    for device, signed in found.prekeys.items():
        report.examined("prekeys handed out")
        try:
            prekey = Prekey.model_validate_json(signed.body)
        except ValueError:
            report.find("substituted", f"a prekey of {device} is none")
            continue
        before = claimed.setdefault(prekey.key, talk.connection.name)
        if prekey.kind == "one-time" and before != talk.connection.name:
            report.find(
                "prekey-reused",
                f"a one-time prekey of {device} was handed out on connection {before} and again on {talk.connection.name}",
            )
