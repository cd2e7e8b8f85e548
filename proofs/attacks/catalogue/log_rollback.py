"""The relay goes back to an older copy of itself, log and database, in order to forget that a device was revoked.

The copy is whole, and everything in it is signed: the relay starts on it without a complaint.
"""

import shutil

from blindrelay.proofs.attacks.model import Attack, Noticed, Variant
from blindrelay.proofs.attacks.stage import Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief


async def _go_back(stage: Stage) -> None:
    """Bob's phone is stolen and revoked, alice knows, and the relay goes back to before that."""
    phone, copy = stage.bob, stage.folder / "copy"
    await stage.converse(stage.alice, phone)
    await stage.restart_relay(lambda: shutil.copytree(stage.data, copy))
    stage.thieves.append(Thief.of_stolen_device(phone, stage.clock))
    await stage.globex.revoke("bob", "phone")
    stage.tell("a thief", f"has {phone.address}; globex.example revokes it")
    await stage.person(stage.globex, "bob", "new-phone")
    stage.leap(61)
    await stage.alice.look_up(phone.user)

    def restore() -> None:
        shutil.rmtree(stage.data)
        copy.rename(stage.data)

    await stage.restart_relay(restore)
    stage.tell("the relay", "starts again on yesterday's copy of its folder, log and all")


async def _shorter(stage: Stage) -> Noticed | None:
    await _go_back(stage)
    stage.begin()
    return await stage.write()


async def _grown_again(stage: Stage) -> Noticed | None:
    await _go_back(stage)
    for user in ("dave", "erin", "frank"):
        await stage.person(stage.globex, user)
    await stage.insider.log.publish()
    stage.tell("the relay", "lets its log grow again, past the size that it had")
    stage.begin()
    return await stage.write()


ATTACK = Attack(
    name="log-rollback",
    title="The log is rolled back",
    gain="to undo what was logged: here, that a stolen phone was revoked",
    variants=(
        Variant(
            name="shorter",
            does="The relay is started on an older copy of its folder.",
            party="alice's client",
            check="rollback",
            play=on_stage(_shorter),
        ),
        Variant(
            name="grown-again",
            does="The same, and the log grows past its former size again, with other entries.",
            party="alice's client",
            check="consistency",
            play=on_stage(_grown_again),
        ),
    ),
)
