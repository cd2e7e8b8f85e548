"""What encryption costs a client."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final, TypeVar

from benchmarks.job import Server
from blindrelay.clients import envelope
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.envelope import Frame, SealingKeyPair
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.options import Options
from blindrelay.clients.ratchet import Ratchet
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.sizes import MESSAGE_ID_LENGTH

_REPEATS: Final = 500
_ALICE = DeviceAddress("acme.example", "alice", "laptop")
_BOB = DeviceAddress("globex.example", "bob", "phone")

# A profile goes with the first letter by default; it would be measured as part of it.
_QUIET = Options(share_profile=False, read_receipts=False, delivery_receipts=False)

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


def relay_address(server: Server, code: str) -> RelayAddress:
    """What clients have to know of a relay under test."""
    return RelayAddress(server.host, server.port, Path(str(server.authority)).read_bytes(), code)


async def contact(count: int, relay: RelayAddress) -> tuple[float, float]:
    """Seconds until PUBACK of the first letter to a device that nobody has met, and of the one after it; medians.

    The first one looks the recipient up, verifies the chain, the statement and a prekey, starts a session, and is stored in
    the sender's outbox before it leaves.
    """
    first: list[float] = []
    second: list[float] = []
    async with (
        Enterprise.create("strangers.example", relay, options=_QUIET) as strangers,
        Enterprise.create("friends.example", relay, options=_QUIET) as friends,
    ):
        devices = [await strangers.enrol(f"stranger{number}", "phone") for number in range(count)]
        async with await friends.enrol("alice", "laptop") as alice:
            for device in devices:
                for took in (first, second):
                    begin = perf_counter()
                    receipt = await alice.send(device.user, "x" * 1_000)
                    await receipt.accepted()
                    took.append(perf_counter() - begin)
    return median(first), median(second)
