"""How large an envelope is, worked out without sealing it, is how large it is when it is sealed."""

import pytest

from blindrelay.clients import content, parts
from blindrelay.clients.content import Chat, Letter
from blindrelay.clients.envelope import Frame, SealingKeyPair, seal
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.ratchet import Ratchet
from blindrelay.proofs.worlds import sizes
from blindrelay.protocol.address import DeviceAddress

ALICE = DeviceAddress.parse("acme.example/alice/laptop")
BOB = DeviceAddress.parse("globex.example/bob/phone")


@pytest.fixture(scope="module")
def acquainted() -> Ratchet:
    """Alice's ratchet, after both have written to one another."""
    alice, bob = Ratchet(KeyStore.in_memory()), Ratchet(KeyStore.in_memory())
    alice.start_session(BOB, bob.identity_key, *bob.one_time_prekeys(1))
    bob.decrypt(ALICE, alice.identity_key, alice.encrypt(BOB, bob.identity_key, b"hello"))
    alice.decrypt(BOB, bob.identity_key, bob.encrypt(ALICE, alice.identity_key, b"hi"))
    alice.bob = bob.identity_key  # type: ignore[attr-defined]
    return alice


@pytest.mark.parametrize("length", range(1_800, 1_900, 3))
def test_sizes_are_those_of_sealed_envelopes(length: int, acquainted: Ratchet) -> None:
    """To the byte, over several blocks of the ratchet and the end of a bucket: a checkpoint as it is assumed is the middle."""
    letter = Letter(Chat(id=bytes(16), sent_at=1, text="x" * length), seen=bytes(sizes.SEEN))
    (part,) = parts.split(content.encode(letter), 0)
    message = acquainted.encrypt(BOB, acquainted.bob, part)  # type: ignore[attr-defined]
    sealed = seal(Frame(ALICE, message), BOB, bytes(16), SealingKeyPair.generate().public)

    found = sizes.possible(letter, ALICE)

    assert found[len(found) // 2] == len(sealed)
