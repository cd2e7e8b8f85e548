"""What encryption costs a client."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Final, TypeVar

from blindrelay.clients import envelope
from blindrelay.clients.envelope import Frame, SealingKeyPair
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.ratchet import Ratchet
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.sizes import MESSAGE_ID_LENGTH

_REPEATS: Final = 500
_ALICE = DeviceAddress("acme.example", "alice", "laptop")
_BOB = DeviceAddress("globex.example", "bob", "phone")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Encryption:
    """Seconds, medians: the ratchet with its state in an encrypted key store in memory, and the outer seal around it."""

    seal: float
    open: float
    ratchet_out: float
    ratchet_in: float

    def milliseconds(self) -> dict[str, float | str]:
        """The same for a report."""
        return {
            "ms ratchet + seal": round(self.seal * 1e3, 3),
            "ms open + ratchet": round(self.open * 1e3, 3),
            "ms of it ratchet out": round(self.ratchet_out * 1e3, 3),
            "ms of it ratchet in": round(self.ratchet_in * 1e3, 3),
        }


def message(size: int, repeats: int = _REPEATS) -> Encryption:
    """Encrypt `size` bytes from device to device and decrypt them, message after message."""
    keys = SealingKeyPair.generate()
    text = os.urandom(size)
    with KeyStore.in_memory() as alice_store, KeyStore.in_memory() as bob_store:
        alice, bob = Ratchet(alice_store), Ratchet(bob_store)
        alice.start_session(_BOB, bob.identity_key, bob.one_time_prekeys(1)[0])
        took: list[tuple[float, float, float, float]] = []
        for _ in range(repeats):
            message_id = os.urandom(MESSAGE_ID_LENGTH)
            ratchet_out, sent = _timed(lambda: alice.encrypt(_BOB, bob.identity_key, text))
            frame = Frame(_ALICE, sent)
            sealing, sealed = _timed(lambda: envelope.seal(frame, _BOB, message_id, keys.public))  # noqa: B023
            opening, opened = _timed(lambda: envelope.unseal(sealed, _BOB, message_id, (keys,)))  # noqa: B023
            ratchet_in, read = _timed(lambda: bob.decrypt(_ALICE, alice.identity_key, opened.message))  # noqa: B023
            assert read == text
            took.append((ratchet_out + sealing, opening + ratchet_in, ratchet_out, ratchet_in))
    return Encryption(*(median(column) for column in zip(*took, strict=True)))


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    begin = perf_counter()
    result = call()
    return perf_counter() - begin, result
