"""Envelopes: sealed to their recipient, bound to their place, nothing in them twice; else it is said what they are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from blindrelay.clients import envelope
from blindrelay.clients.envelope import Frame, SealingKeyPair
from blindrelay.clients.ratchet import NORMAL, OlmMessage
from blindrelay.proofs.checks import envelopes
from blindrelay.proofs.checks.grammar import Published, Talk
from blindrelay.proofs.evidence.manifest import DeviceFacts
from blindrelay.protocol.address import DeviceAddress
from support.proofs import connection, evidence, reasons, report_for

ALICE, BOB, CAROL = (
    DeviceAddress.parse(text)
    for text in ("acme.example/alice/laptop", "globex.example/bob/phone", "acme.example/carol/archive")
)
PAIRS = {device: SealingKeyPair.generate() for device in (ALICE, BOB, CAROL)}
ID = bytes(range(16))


def message(index: int = 0, key: bytes = b"r" * 32) -> OlmMessage:
    """The outside of a ratchet's message, at a place in a chain."""
    return OlmMessage(NORMAL, b"\x03\x0a\x20" + key + b"\x10" + bytes([index]) + b"\x22\x00" + bytes(8))


def frame(sender: DeviceAddress = ALICE, index: int = 0) -> Frame:
    return Frame(sender, message(index))


def sealed(to: DeviceAddress = BOB, message_id: bytes = ID, what: Frame | None = None) -> bytes:
    """As clients seal."""
    return envelope.seal(what or frame(), to, message_id, PAIRS[to].public)


def facts(device: DeviceAddress, view: dict[str, bool] | None = None) -> DeviceFacts:
    return DeviceFacts(
        sealing_seeds=[PAIRS[device].seeds], identity_key=bytes(32), certificate_sha256=bytes(32), token_sha256=bytes(32),
        is_archive=device is CAROL, view=view or {},
    )  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What alice's device sent, by recipient and message id, over its own connection; and whom she is shown."""

    sent: list[tuple[DeviceAddress, bytes, bytes]]
    view: dict[str, bool] = field(default_factory=lambda: {str(BOB): False, str(CAROL): True})
    client_id: str = str(ALICE)

    def examine(self, folder: Path) -> list[str]:
        """The reasons for which something is found."""
        devices = {str(ALICE): facts(ALICE, self.view), str(BOB): facts(BOB), str(CAROL): facts(CAROL)}
        talk = Talk(connection(), client_id=self.client_id)
        talk.sent = [Published(talk.connection, str(to), message_id, payload) for to, message_id, payload in self.sent]
        report = report_for("wire")
        envelopes.examine(evidence(folder, devices=devices), [talk], report)
        assert report.missing(["envelopes opened with the recipient's key"]) == []
        return reasons(report)


def plaintext() -> bytes:
    """A frame that nobody sealed."""
    return envelope._encode(frame()).ljust(2_048, b"\0")


def classical() -> bytes:
    """Sealed with X25519 alone."""
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    key = X25519PrivateKey.from_private_bytes(PAIRS[BOB].seeds[64:]).public_key()
    return suite.encrypt(envelope._encode(frame()).ljust(2_000, b"\0"), key, envelope._info(BOB, ID))


def unbound() -> bytes:
    """Bound to the recipient, and not to the message's id."""
    name = str(BOB).encode()
    return envelope._SUITE.encrypt(
        envelope._encode(frame()).ljust(912, b"\0"),
        envelope._public(PAIRS[BOB].public),
        envelope._LABEL + bytes([len(name)]) + name,
    )


def stuffed() -> bytes:
    """Something behind the frame, where zeros are to be."""
    padded = envelope._encode(frame()) + b"a key for somebody else"
    return envelope._SUITE.encrypt(
        padded.ljust(912, b"\0"), envelope._public(PAIRS[BOB].public), envelope._info(BOB, ID)
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (plaintext, "plaintext"),
        (classical, "not-hybrid"),
        (unbound, "unbound"),
        (stuffed, "form"),
        (lambda: sealed(CAROL), "does-not-open"),
        (lambda: sealed(BOB, bytes(16)), "does-not-open"),
        (lambda: bytes(2_048), "does-not-open"),
        (lambda: envelope._SUITE.encrypt(bytes(912), envelope._public(PAIRS[CAROL].public), envelope._info(BOB, ID)),
         "opens-for-others"),
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_found(make: Callable[[], bytes], reason: str, tmp_path: Path) -> None:
    """And what it is instead."""
    assert Run([(BOB, ID, make())]).examine(tmp_path) == [reason]


def test_an_envelope_is_nothing_to_be_found(tmp_path: Path) -> None:
    """Two of them, to somebody and to an archive that is shown as one."""
    sent = [(BOB, ID, sealed()), (CAROL, bytes(16), sealed(CAROL, bytes(16), frame(index=1)))]

    assert Run(sent).examine(tmp_path) == []


def test_who_sends_what(tmp_path: Path) -> None:
    """The sender is the device whose connection it is; the recipient is one that its person is shown, as what it is."""
    sent = [(BOB, ID, sealed())]

    assert Run(sent, client_id=str(CAROL)).examine(tmp_path) == ["sender"]
    assert Run(sent, view={}).examine(tmp_path) == ["unseen"]
    assert Run([(CAROL, ID, sealed(CAROL))], view={str(CAROL): False}).examine(tmp_path) == ["archive-hidden"]


def test_nothing_comes_twice(tmp_path: Path) -> None:
    """Neither an encapsulated key, nor a message id, nor a place in a ratchet's chain; the same envelope again is a retry."""
    one = (BOB, ID, sealed())

    assert Run([one, one]).examine(tmp_path) == []
    assert Run([one, (BOB, ID, sealed(what=frame(index=1)))]).examine(tmp_path) == ["repeats"]
    assert Run([one, (CAROL, bytes(16), sealed(CAROL, bytes(16)))]).examine(tmp_path) == ["repeats"]
