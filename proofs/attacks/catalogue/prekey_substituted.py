"""The relay hands out a prekey that is not the device's: one that it has made, or another device's.

A first message is encrypted to the device's identity key and to a prekey. With a prekey of the relay's choice the first message
has no forward secrecy against whoever gets the identity key later.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from blindrelay.proofs.attacks.model import Attack, Noticed, Variant
from blindrelay.proofs.attacks.stage import Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.statements import Prekey, Purpose, Signed


async def _play(stage: Stage, prekey: Callable[[], Signed], what: str) -> Noticed | None:
    stage.begin()
    stage.insider.hand_out(stage.bob.address, prekey)
    stage.tell("the relay", f"hands out {what} as a prekey of {stage.bob.address}")
    return await stage.write()


async def _of_its_own_making(stage: Stage) -> Noticed | None:
    key = ec.generate_private_key(ec.SECP256R1())

    def made() -> Signed:
        public = X25519PrivateKey.generate().public_key().public_bytes_raw()
        return Signed.create(Purpose.PREKEY, Prekey(device=stage.bob.address, kind="one-time", key=public), key)

    return await _play(stage, made, "a key that it has made and signed itself")


async def _of_another_device(stage: Stage) -> Noticed | None:
    tablet = DeviceAddress("globex.example", "mallory", "tablet")
    mallory = Thief.of_new_device(tablet, stage.globex.authority, stage.clock)
    return await _play(stage, mallory.prekey, f"a prekey of {tablet}, who has signed it,")


ATTACK = Attack(
    name="prekey-substituted",
    title="A prekey is substituted",
    gain="to have the first letter encrypted to a key that nobody has vouched for",
    variants=(
        Variant(
            name="of-its-own-making",
            does="The relay makes the key, and signs it itself.",
            party="alice's client",
            check="prekey",
            play=on_stage(_of_its_own_making),
        ),
        Variant(
            name="of-another-device",
            does="The relay hands out a prekey that another device of the same enterprise has signed.",
            party="alice's client",
            check="prekey",
            play=on_stage(_of_another_device),
        ),
    ),
)
