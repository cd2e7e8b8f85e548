"""The relay goes on showing its victim the directory of some time ago, so that they never learn that a device was revoked."""

from collections.abc import Awaitable, Callable

from blindrelay.proofs.attacks.model import Attack, Noticed, Variant
from blindrelay.proofs.attacks.stage import PATIENCE, Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.rpc import LOOK_UP_USER, PROVE_HEAD, LookUpUser, ProveHead, ProvenHead, UserEntry


async def _freeze(stage: Stage) -> None:
    """Bob's phone is stolen and revoked; alice is shown the directory from before that."""
    phone, insider = stage.bob, stage.insider
    await stage.converse(stage.alice, phone)
    stage.begin()
    shown = insider.log.published
    before = {user: await insider.entry_of(user) for user in (stage.alice.user, phone.user)}

    async def look_up(request: LookUpUser, _: Callable[[LookUpUser], Awaitable[UserEntry]]) -> UserEntry:
        entry = before[request.user]
        indices = [entry.root_included.index, *(device.included.index for device in entry.devices)]
        (root, *included), head = insider.prove(indices, request.seen, shown)
        devices = [
            device.model_copy(update={"included": proof}) for device, proof in zip(entry.devices, included, strict=True)
        ]
        return entry.model_copy(update={"root_included": root, "devices": devices, "head": head})

    async def prove(request: ProveHead, _: Callable[[ProveHead], Awaitable[ProvenHead]]) -> ProvenHead:
        heads = [insider.prove([], size, shown)[1] for size in request.seen]
        return ProvenHead(checkpoint=shown.note, consistency=[head.consistency for head in heads])

    insider.answer(LOOK_UP_USER, look_up, to=stage.alice.address)
    insider.answer(PROVE_HEAD, prove, to=stage.alice.address)
    stage.thieves.append(Thief.of_stolen_device(phone, stage.clock))
    await stage.globex.revoke("bob", "phone")
    await insider.admit(stage.thieves[0].identity.certificate)
    stage.tell("a thief", f"has {phone.address}; globex.example revokes it")
    stage.tell("the relay", "goes on showing alice the directory from before that")


async def _for_an_hour(stage: Stage) -> Noticed | None:
    await _freeze(stage)
    stage.leap(3_600)
    await stage.relay.keep_house()  # the others are shown a checkpoint that the witness has just cosigned again
    return await stage.write()


async def _without_a_witness(stage: Stage) -> Noticed | None:
    await _freeze(stage)
    phone = await stage.person(stage.globex, "bob", "new-phone")
    await phone.send(stage.alice.user, "My phone was stolen; this is the new one.")
    await stage.alice.receive(PATIENCE)
    stage.tell("bob's new client", "writes to alice; inside the letter is the checkpoint that it has seen")
    return await stage.write()


ATTACK = Attack(
    name="stale-directory",
    title="The directory is frozen for one victim",
    gain="to have what was revoked or replaced since then still written to: here, a stolen phone",
    variants=(
        Variant(
            name="witnessed",
            does="The relay shows its victim a checkpoint that was cosigned an hour ago.",
            party="alice's client",
            check="stale",
            play=on_stage(_for_an_hour, witnessed=True),
        ),
        Variant(
            name="no-witness",
            does="There is no witness, whose cosignatures could grow old; but somebody writes to the victim.",
            party="alice's client",
            check="rollback",
            play=on_stage(_without_a_witness),
        ),
    ),
)
