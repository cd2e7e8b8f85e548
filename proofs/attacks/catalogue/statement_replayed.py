"""The relay answers with an old statement of a device, the keys of which have been stolen since.

The old statement is signed by the device, and it is in the log. What gives it away is its number.
"""

import shutil
from collections.abc import Awaitable, Callable

from blindrelay.clients.device import STORE_FILE, Device
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.vault import CHEAP
from blindrelay.proofs.attacks.model import Attack, Noticed, Variant
from blindrelay.proofs.attacks.stage import OPTIONS, Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.rpc import LOOK_UP_USER, LookUpUser, UserEntry

_PASSPHRASE = "correct horse"  # noqa: S105 - of a key store that is there for a second


async def _play(stage: Stage) -> Noticed | None:
    folder, copy = stage.folder / "dave", stage.folder / "copy"
    phone = await stage.globex.issue("dave", "phone", folder, _PASSPHRASE, cost=CHEAP)
    old = (await stage.insider.entry_of(phone.owner)).devices[0]
    shutil.copytree(folder, copy)
    stage.tell("a thief", f"copies the key store of {phone}, with its passphrase")
    stolen = KeyStore.open(copy / STORE_FILE, _PASSPHRASE)
    stage.at_the_end(stolen.close)
    device = Device.open(folder, _PASSPHRASE, stage.address, clock=stage.clock, options=OPTIONS)
    device._running.identity.rotate_sealing_key(stage.clock)
    async with device:
        stage.tell("dave's client", "replaces its keys, and says so in a new statement")
    await stage.alice.look_up(phone.owner)
    stage.begin()
    stage.thieves.append(Thief(stolen, stage.clock))

    async def replayed(request: LookUpUser, honest: Callable[[LookUpUser], Awaitable[UserEntry]]) -> UserEntry:
        entry = await honest(request)
        if request.user != phone.owner:
            return entry
        (root, included), head = stage.insider.prove([entry.root_included.index, old.included.index], request.seen)
        devices = [old.model_copy(update={"included": included})]
        return entry.model_copy(update={"root_included": root, "devices": devices, "head": head})

    stage.insider.answer(LOOK_UP_USER, replayed)
    stage.tell("the relay", "answers with the statement from before, and with the proof that it is in the log")
    return await stage.write(to=phone.owner)


ATTACK = Attack(
    name="statement-replayed",
    title="A device's old statement is shown as its present one",
    gain="to have letters sealed to keys that were stolen, and replaced for that reason",
    variants=(
        Variant(
            name="lower-sequence",
            does="The relay answers with a statement from before the device replaced its keys. It is signed, and in the log.",
            party="alice's client",
            check="sequence",
            play=on_stage(_play),
        ),
    ),
)
