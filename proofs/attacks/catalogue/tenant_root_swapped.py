"""The relay gives an enterprise another root, and a user another device below it: all of it fits together, and is its own."""

from collections.abc import Awaitable, Callable

from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.enterprise.ca import Authority
from blindrelay.proofs.attacks.model import Attack, Loss, Noticed, Variant
from blindrelay.proofs.attacks.reader import watch
from blindrelay.proofs.attacks.stage import Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.rpc import LOOK_UP_USER, LookUpUser, UserEntry
from blindrelay.protocol.transparency.directory import tenant_entered


async def _swap(stage: Stage, *, log_root: bool = False, log_device: bool = False) -> Noticed | None:
    stage.begin()
    stage.leap(1)
    forged = Authority.create("globex.example", stage.clock)
    root = forged.root.public_bytes(Encoding.DER)
    impostor = Thief.of_new_device(stage.bob.address, forged, stage.clock)
    stage.thieves.append(impostor)
    root_at = await stage.insider.enter(tenant_entered("globex.example", root).encode()) if log_root else None
    device_at = await stage.insider.enter(impostor.logged) if log_device else None

    async def swapped(request: LookUpUser, honest: Callable[[LookUpUser], Awaitable[UserEntry]]) -> UserEntry:
        entry = await honest(request)
        if request.user != stage.bob.user:
            return entry
        # What is in no log is shown with the proof of what it is put in the place of.
        indices = [
            entry.root_included.index if root_at is None else root_at,
            entry.devices[0].included.index if device_at is None else device_at,
        ]
        (of_root, of_device), head = stage.insider.prove(indices, request.seen)
        changes = {"root": root, "root_included": of_root, "devices": [impostor.entry(of_device)], "head": head}
        return entry.model_copy(update=changes)

    stage.insider.answer(LOOK_UP_USER, swapped)
    stage.insider.hand_out(stage.bob.address, impostor.prekey)
    stage.tell("the relay", "answers with a root for globex.example that it has made, and with a device of its own")
    return await stage.write()


async def _without_the_root(stage: Stage) -> Noticed | None:
    return await _swap(stage, log_device=True)


async def _in_the_log(stage: Stage) -> Noticed | None:
    await _swap(stage, log_root=True, log_device=True)
    return await watch(stage, stage.globex.authority)


async def _of_an_enterprise_that_is_known(stage: Stage) -> Noticed | None:
    await stage.converse(stage.alice, stage.bob)
    return await _swap(stage)


ATTACK = Attack(
    name="tenant-root-swapped",
    title="An enterprise's root certificate is swapped",
    gain="to speak for a whole enterprise: every user, every device",
    variants=(
        Variant(
            name="known",
            does="The victim has met the enterprise before.",
            party="alice's client",
            check="root-changed",
            play=on_stage(_of_an_enterprise_that_is_known),
        ),
        Variant(
            name="first-contact",
            does="The victim has never met anybody of the enterprise. The relay does not write the root into its log.",
            party="alice's client",
            check="inclusion",
            play=on_stage(_swap),
        ),
        Variant(
            name="root-withheld",
            does="The same, and the relay writes its device into its log, but not the root.",
            party="alice's client",
            check="inclusion",
            play=on_stage(_without_the_root),
        ),
        Variant(
            name="logged",
            does="The same, and the relay writes both into its log, for all to see.",
            party="globex.example's monitor",
            check="root",
            play=on_stage(_in_the_log),
            loss=Loss.READ,
        ),
    ),
)
