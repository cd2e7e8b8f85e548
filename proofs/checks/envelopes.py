"""Envelopes: each opens with its recipient's key under its own id, with no other key of the run, and nothing in it repeats."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from blindrelay.clients import envelope
from blindrelay.clients.envelope import Frame, SealingKeyPair
from blindrelay.clients.errors import EnvelopeRejected
from blindrelay.proofs.checks.grammar import Published, Talk
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.keyring import Keyring
from blindrelay.proofs.evidence.manifest import Manifest
from blindrelay.proofs.evidence.olm import Outside, outside
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.errors import Malformed

REASONS: Final = {
    "plaintext": "an envelope is not sealed",
    "not-hybrid": "an envelope is sealed without the post-quantum layer",
    "unbound": "an envelope opens under another id, or for another recipient",
    "does-not-open": "an envelope does not open with the key of the device that it is addressed to",
    "opens-for-others": "an envelope opens with a key that is not its recipient's",
    "form": "what is in an envelope is not a frame with nothing but zeros behind it",
    "sender": "an envelope names another sender than the connection that it came over",
    "unseen": "an envelope goes to a device that the sender is not shown",
    "archive-hidden": "an envelope goes to a compliance archive, and the sender is not shown that it is one",
    "repeats": "an encapsulated key, a ratchet key with its place in the chain, or a message id comes twice",
}
_ENCAPSULATED: Final = 1_120
_CLASSICAL: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True)
class _Keys:
    """Every device's sealing keys, and what the relay has that could be some."""

    manifest: Manifest
    of_relay: tuple[tuple[str, bytes], ...]

    @cached_property
    def pairs(self) -> dict[str, tuple[SealingKeyPair, ...]]:
        """Device -> its key pairs."""
        return {
            device: tuple(SealingKeyPair.from_seeds(seeds) for seeds in facts.sealing_seeds)
            for device, facts in self.manifest.devices.items()
        }

    def others(self, recipient: str) -> Iterator[tuple[str, SealingKeyPair]]:
        """Everybody else's."""
        for device, pairs in self.pairs.items():
            if device != recipient:
                yield from ((device, pair) for pair in pairs)
        yield from ((f"the relay's {name}", SealingKeyPair.from_seeds(seeds)) for name, seeds in self.of_relay)


def examine(evidence: Evidence, passed: list[Talk], report: Report) -> None:
    """Open every envelope that a client has sent; one that was sent again comes once."""
    keyring = Keyring(path for moment in evidence.moments for path in evidence.disk(moment).rglob("*"))
    keys = _Keys(evidence.manifest, tuple(keyring.sealing_seeds))
    seen: dict[tuple[str, bytes, bytes], str] = {}
    opened: list[tuple[Published, Frame]] = []
    for talk in passed:
        for sent in talk.sent:
            key = (sent.recipient, sent.message_id, sent.payload)
            if key in seen or sent.recipient not in keys.pairs:
                continue
            seen[key] = talk.connection.name
            frame = _open(sent, keys, report)
            if frame is not None:
                opened.append((sent, frame))
                _sender(talk, frame, evidence.manifest, sent, report)
    _others((sent for sent, _ in opened), keys, report)
    _repeats(opened, report)


def _open(sent: Published, keys: _Keys, report: Report) -> Frame | None:
    report.examined("envelopes opened with the recipient's key")
    recipient = DeviceAddress.parse(sent.recipient)
    where = f"an envelope to {sent.recipient} on connection {sent.connection.name}"
    try:
        return envelope.unseal(sent.payload, recipient, sent.message_id, keys.pairs[sent.recipient])
    except EnvelopeRejected as error:
        reason, text = _why(sent, keys, error)
        report.find(reason, f"{where} {text}")
        return None


def _why(sent: Published, keys: _Keys, error: EnvelopeRejected) -> tuple[str, str]:
    """What it is instead."""
    if error.check != "seal":
        return "form", f"holds something else: {error}"
    if _is_frame(sent.payload):
        return "plaintext", "is a frame that was never sealed"
    for pair in keys.pairs[sent.recipient]:
        for name, info in _looser(sent):
            if _opens(pair, sent.payload, info):
                return "unbound", f"opens without its {name}"
        private = X25519PrivateKey.from_private_bytes(pair.seeds[64:])
        for _, info in (("", envelope._info(DeviceAddress.parse(sent.recipient), sent.message_id)), *_looser(sent)):
            try:
                _CLASSICAL.decrypt(sent.payload, private, info)
            except (InvalidTag, ValueError):
                continue
            return "not-hybrid", "opens with X25519 alone"
    info = envelope._info(DeviceAddress.parse(sent.recipient), sent.message_id)
    for whose, pair in keys.others(sent.recipient):
        if _opens(pair, sent.payload, info):
            return "opens-for-others", f"opens with the key of {whose}, and not with the recipient's"
    return "does-not-open", "opens with nobody's key"


def _looser(sent: Published) -> list[tuple[str, bytes]]:
    """Contexts that bind less than the profile's."""
    label = envelope._LABEL
    name = sent.recipient.encode()
    return [
        ("recipient and id", b""),
        ("recipient and id", label),
        ("id", label + bytes([len(name)]) + name),
        ("recipient", label + sent.message_id),
    ]


def _is_frame(data: bytes) -> bool:
    try:
        envelope._decode(data)
    except EnvelopeRejected:
        return False
    return True


def _opens(pair: SealingKeyPair, payload: bytes, info: bytes) -> bool:
    try:
        pair.decrypt(payload, info)
    except (InvalidTag, ValueError):
        return False
    return True


def _sender(talk: Talk, frame: Frame, manifest: Manifest, sent: Published, report: Report) -> None:
    sender = str(frame.sender)
    if talk.client_id and sender != talk.client_id:
        report.find("sender", f"an envelope from {sender} was sent over the connection of {talk.client_id}")
    facts, recipient = manifest.devices.get(sender), manifest.devices[sent.recipient]
    if facts is None:
        report.find("sender", f"an envelope is from {sender}, which is nobody's device")
    elif sent.recipient not in facts.view:
        report.find("unseen", f"{sender} writes to {sent.recipient}, and its person is not shown that device")
    elif recipient.is_archive and not facts.view[sent.recipient]:
        report.find("archive-hidden", f"{sender} is not shown that {sent.recipient} is an archive")


def _others(sent_by_all: Iterable[Published], keys: _Keys, report: Report) -> None:
    """No other key of the run opens it; nor does the right one in another place or under another id."""
    for sent in sent_by_all:
        recipient = DeviceAddress.parse(sent.recipient)
        info = envelope._info(recipient, sent.message_id)
        for whose, pair in keys.others(sent.recipient):
            report.examined("envelopes tried with another key, or another address")
            if _opens(pair, sent.payload, info):
                report.find("opens-for-others", f"an envelope to {sent.recipient} opens with the key of {whose}")
        for pair in keys.pairs[sent.recipient]:
            for other in (
                envelope._info(recipient, bytes([sent.message_id[0] ^ 1, *sent.message_id[1:]])),
                envelope._info(DeviceAddress("another.example", "x", "y"), sent.message_id),
            ):
                report.examined("envelopes tried with another key, or another address")
                if _opens(pair, sent.payload, other):
                    report.find("unbound", f"an envelope to {sent.recipient} opens in another place")


def _repeats(opened: list[tuple[Published, Frame]], report: Report) -> None:
    encapsulated: dict[bytes, str] = {}
    ids: dict[bytes, str] = {}
    places: dict[tuple[bytes, int], str] = {}
    begun: dict[bytes, Outside] = {}
    for number, (sent, frame) in enumerate(opened, 1):
        # What was sent again is not among them: two that are alike in everything else are two.
        where = f"envelope {number}, {sent.message_id.hex()[:8]} to {sent.recipient}"
        _once(encapsulated, sent.payload[:_ENCAPSULATED], where, "the encapsulated key", report)
        _once(ids, sent.message_id, where, "the message id", report)
        try:
            found = outside(frame.message)
        except Malformed as error:
            report.find("form", f"{where}: {error}")
            continue
        _once(places, (found.ratchet_key, found.index), where, f"place {found.index} of a ratchet's chain", report)
        if found.base_key is not None:
            before = begun.setdefault(found.base_key, found)
            if before.one_time_key != found.one_time_key:
                report.find("repeats", f"{where}: the same base key begins sessions with two prekeys")


def _once(seen: dict, key: object, where: str, what: str, report: Report) -> None:  # type: ignore[type-arg]
    report.examined("keys, ids and places in chains compared")
    before = seen.setdefault(key, where)
    if before != where:
        report.find("repeats", f"{what} of {where} is that of {before}")
