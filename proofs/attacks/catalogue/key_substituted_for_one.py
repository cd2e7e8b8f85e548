"""The relay tells one person alone that somebody's device has other keys: keys that the relay has.

Nobody else sees anything unusual, so that asking a colleague helps nobody. A key server in iMessage's place could do it, wrote
Green in 2013; key transparency (CONIKS, 2015) was made against it.
"""

from collections.abc import Awaitable, Callable

from cryptography.hazmat.primitives.asymmetric import ec

from blindrelay.proofs.attacks.model import Attack, Noticed, Variant
from blindrelay.proofs.attacks.stage import Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.rpc import LOOK_UP_USER, DeviceEntry, LookUpUser, UserEntry
from blindrelay.protocol.statements import DeviceStatement, Purpose, Signed

Forge = Callable[[DeviceEntry], DeviceEntry]


async def _play(stage: Stage, forged: Forge, impostor: Thief) -> Noticed | None:
    carol = await stage.person(stage.acme, "carol", "desktop")
    await stage.converse(stage.alice, stage.bob)
    await stage.converse(carol, stage.bob)
    stage.begin()
    stage.thieves.append(impostor)

    async def substituted(request: LookUpUser, honest: Callable[[LookUpUser], Awaitable[UserEntry]]) -> UserEntry:
        entry = await honest(request)
        if request.user != stage.bob.user:
            return entry
        return entry.model_copy(update={"devices": [forged(device) for device in entry.devices]})

    stage.insider.answer(LOOK_UP_USER, substituted, to=stage.alice.address)
    stage.insider.hand_out(stage.bob.address, impostor.prekey, to=stage.alice.address)
    stage.tell("the relay", f"answers alice, and nobody else, with keys of its own for {stage.bob.address}")
    noticed = await stage.write()
    await carol.send(stage.bob.user, "Does everything work for you?")
    await stage.bob.receive(timeout=30)
    stage.tell("carol's client", "sees bob's true keys, and writes to him as ever")
    return noticed


async def _without_his_signature(stage: Stage) -> Noticed | None:
    impostor = Thief.of_new_device(stage.bob.address, stage.compelled(stage.globex), stage.clock)
    key = ec.generate_private_key(ec.SECP256R1())

    def forged(device: DeviceEntry) -> DeviceEntry:
        stated = DeviceStatement.model_validate_json(impostor.identity.statement().body)
        sequence = DeviceStatement.model_validate_json(device.statement.body).sequence + 1
        signed = Signed.create(Purpose.STATEMENT, stated.model_copy(update={"sequence": sequence}), key)
        return device.model_copy(update={"statement": signed})

    return await _play(stage, forged, impostor)


async def _with_a_new_certificate(stage: Stage) -> Noticed | None:
    stage.leap(1)  # the sequence of a statement is its date: the impostor's is later than bob's
    impostor = Thief.of_new_device(stage.bob.address, stage.compelled(stage.globex), stage.clock)
    return await _play(stage, lambda device: impostor.entry(device.included), impostor)


ATTACK = Attack(
    name="key-substituted-for-one",
    title="Somebody's key is substituted, for one victim alone",
    gain="to read what the victim writes to them, and to pass it on so that nobody misses it",
    variants=(
        Variant(
            name="unsigned",
            does="The relay puts keys of its own into the statement of bob's device, and signs it itself.",
            party="alice's client",
            check="device-statement",
            play=on_stage(_without_his_signature),
        ),
        Variant(
            name="compelled-ca",
            does="The enterprise's own CA was made to certify bob's device anew, with a key of the relay's; no log has it.",
            party="alice's client",
            check="inclusion",
            play=on_stage(_with_a_new_certificate),
        ),
    ),
)
