"""The relay adds a device of its own to what it says about a user, so that whoever writes to the user writes to it, too.

It is how a messenger is turned into a wiretap without touching its encryption: "add a silent participant", as GCHQ's Levy and
Robinson proposed in 2018 ("Principles for a More Informed Exceptional Access Debate").
"""

from collections.abc import Awaitable, Callable

from blindrelay.clients.enterprise.ca import Authority
from blindrelay.proofs.attacks.model import Attack, Loss, Noticed, Variant
from blindrelay.proofs.attacks.reader import watch
from blindrelay.proofs.attacks.stage import Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.rpc import LOOK_UP_USER, LookUpUser, UserEntry

GHOST = DeviceAddress("globex.example", "bob", "tablet")


async def add_ghost(stage: Stage, authority: Authority, *, logged: bool = False) -> None:
    """Have the relay add a ghost to bob's devices; with the proof of one that is in the log, if it is not `logged` itself."""
    ghost = Thief.of_new_device(GHOST, authority, stage.clock)
    stage.thieves.append(ghost)
    await stage.insider.admit(ghost.identity.certificate)
    stage.insider.hand_out(GHOST, ghost.prekey)
    entered = await stage.insider.enter(ghost.logged) if logged else None

    async def with_ghost(request: LookUpUser, honest: Callable[[LookUpUser], Awaitable[UserEntry]]) -> UserEntry:
        entry = await honest(request)
        if request.user != GHOST.owner:
            return entry
        included = entry.devices[0].included
        if entered is not None:
            included = stage.insider.prove([entered], request.seen)[0][0]
        return entry.model_copy(update={"devices": [*entry.devices, ghost.entry(included)]})

    stage.insider.answer(LOOK_UP_USER, with_ghost)


async def _by_another_ca(stage: Stage) -> Noticed | None:
    await stage.converse(stage.alice, stage.bob)
    stage.begin()
    await add_ghost(stage, Authority.create("globex.example", stage.clock))
    stage.tell("the relay", f"lists {GHOST} among bob's devices, with a certificate of a CA that it has made")
    return await stage.write()


async def _by_a_compelled_ca(stage: Stage) -> Noticed | None:
    await stage.converse(stage.alice, stage.bob)
    stage.begin()
    await add_ghost(stage, stage.compelled(stage.globex))
    stage.tell("the relay", f"lists {GHOST} among bob's devices; globex.example was made to certify it")
    return await stage.write()


async def _in_the_log(stage: Stage) -> Noticed | None:
    await stage.converse(stage.alice, stage.bob)
    stage.begin()
    await add_ghost(stage, stage.compelled(stage.globex), logged=True)
    stage.tell(
        "the relay", f"lists {GHOST} among bob's devices; globex.example was made to certify it, and it is in the log"
    )
    await stage.write()
    return await watch(stage, stage.globex.authority)


ATTACK = Attack(
    name="ghost-device",
    title="A ghost device is added for a user",
    gain="to read everything that is written to the user from then on",
    variants=(
        Variant(
            name="another-ca",
            does="The relay certifies the ghost itself, with a CA that has the enterprise's name.",
            party="alice's client",
            check="chain",
            play=on_stage(_by_another_ca),
        ),
        Variant(
            name="compelled-ca",
            does="The enterprise's own CA was made to certify the ghost. The relay does not write it into its log.",
            party="alice's client",
            check="inclusion",
            play=on_stage(_by_a_compelled_ca),
        ),
        Variant(
            name="logged",
            does="The same, and the relay writes it into its log, for all to see.",
            party="globex.example's monitor",
            check="device",
            play=on_stage(_in_the_log),
            loss=Loss.READ,
        ),
    ),
)
