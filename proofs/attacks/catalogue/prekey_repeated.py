"""The relay hands one and the same one-time prekey out to two people.

It is meant for one first message, after which the device forgets it. It cannot be forgotten for the second one.
"""

from blindrelay.clients.device import Device
from blindrelay.clients.message import News, Update
from blindrelay.proofs.attacks.model import Attack, Loss, Noticed, Variant
from blindrelay.proofs.attacks.stage import PATIENCE, Stage, on_stage
from blindrelay.protocol.rpc import CLAIM_PREKEYS, ClaimPrekeys


async def _to_two_people(stage: Stage) -> Noticed | None:
    carol = await stage.person(stage.acme, "carol", "desktop")
    stage.begin()
    claimed = await stage.insider.ask(CLAIM_PREKEYS, ClaimPrekeys(devices=[stage.bob.address]))
    prekey = claimed.prekeys[str(stage.bob.address)]
    stage.insider.hand_out(stage.bob.address, lambda: prekey)
    stage.tell("the relay", f"hands out one prekey of {stage.bob.address} to alice and to carol")
    waiting = stage.spawn(_first_news(stage.bob))
    await stage.alice.send(stage.bob.user, "I am the first.")
    await stage.bob.receive(PATIENCE)
    stage.tell("bob's client", "reads alice's letter, and forgets the key")
    await stage.write(carol)
    await stage.wait_taken(stage.bob)
    if not waiting.done() or waiting.result().news is not News.UNREADABLE:
        return None
    return stage.notice("bob's client", "ratchet", waiting.result().reason)


async def _first_news(device: Device) -> Update:
    return await anext(device.updates())


ATTACK = Attack(
    name="prekey-repeated",
    title="A one-time prekey is handed out twice",
    gain="to make two first letters depend on one key, which has to be kept for longer than it should be",
    variants=(
        Variant(
            name="to-two-people",
            does="The relay gives two people the same one-time prekey of somebody's device.",
            party="bob's client",
            check="ratchet",
            play=on_stage(_to_two_people),
            loss=Loss.UNREADABLE,
        ),
    ),
)
