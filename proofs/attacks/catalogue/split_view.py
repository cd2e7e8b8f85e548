"""The relay keeps two logs with one key, and shows one to its victim: there is a ghost device in it, properly logged.

Each history is consistent in itself. Whoever sees one alone finds nothing wrong with it; it takes somebody who has seen both.
"""

import shutil
from pathlib import Path

from blindrelay.proofs.attacks.catalogue.ghost_device import GHOST
from blindrelay.proofs.attacks.fork import Fork
from blindrelay.proofs.attacks.model import Attack, Loss, Noticed, Variant
from blindrelay.proofs.attacks.stage import PATIENCE, Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.witness.service import Witness


async def _fork(stage: Stage, witness: Witness | None = None, times: int = 1) -> None:
    """Fork the log with a ghost of bob's in it, for alice; the true one grows with something else."""
    ghost = Thief.of_new_device(GHOST, stage.compelled(stage.globex), stage.clock)
    stage.thieves.append(ghost)
    await stage.insider.admit(ghost.identity.certificate)
    at = stage.insider.log.published.checkpoint.size
    await stage.person(stage.globex, "carol")
    await stage.insider.log.publish()
    fork = await stage.enter(Fork.open(stage, ghost, at, witness=witness, times=times))
    fork.show(stage.alice.address)
    stage.tell("the relay", f"shows alice a log in which {GHOST} is, and everybody else one in which carol's phone is")


async def _with_an_honest_witness(stage: Stage) -> Noticed | None:
    await stage.converse(stage.alice, stage.bob)
    stage.begin()
    await _fork(stage, stage.witness)
    assert stage.witness is not None  # noqa: S101 - the variant says so
    (log,) = stage.witness.folder.logs()
    stage.tell("the witness", f"cosigns the latter alone, and keeps {len(log.split_views)} checkpoints as evidence")
    return await stage.write()


async def _while_they_talk(stage: Stage) -> Noticed | None:
    """Bob writes to alice, and then alice to bob."""
    await stage.bob.send(stage.alice.user, "Will you write to me?")
    await stage.alice.receive(PATIENCE)
    stage.tell("bob's client", "writes to alice; inside the letter is the checkpoint that it has seen")
    return await stage.write()


async def _without_a_witness(stage: Stage) -> Noticed | None:
    await stage.converse(stage.alice, stage.bob)
    stage.begin()
    await _fork(stage)
    await stage.alice.look_up(stage.bob.user)  # she has seen the ghost, and has not written yet
    return await _while_they_talk(stage)


async def _with_a_witness_that_colludes(stage: Stage) -> Noticed | None:
    await stage.converse(stage.alice, stage.bob)
    stage.begin()
    assert stage.witness is not None  # noqa: S101 - the variant says so
    twin = await stage.enter(_twin(stage, stage.witness))
    await _fork(stage, twin, times=2)
    stage.tell("the witness", "runs twice, on two copies of its folder, and cosigns both")
    await stage.alice.look_up(stage.bob.user)
    return await _while_they_talk(stage)


async def _before_anybody_has_written(stage: Stage) -> Noticed | None:
    await stage.converse(stage.alice, stage.bob)
    stage.begin()
    await _fork(stage)
    await stage.bob.look_up(stage.alice.user)
    await stage.write()
    await stage.bob.receive(PATIENCE)
    stage.tell("bob's client", "gets alice's letter; inside is the checkpoint that she has seen")
    return await stage.attempt("bob's client", lambda: stage.bob.send(stage.alice.user, "I have got it."))


def _twin(stage: Stage, witness: Witness) -> Witness:
    """The same witness once more, with the same key, that knows nothing of what the first one will cosign."""
    copy = Path(stage.folder / "twin")
    shutil.copytree(witness.folder.path, copy, ignore=shutil.ignore_patterns("lock"))
    return Witness(copy, clock=stage.clock)


ATTACK = Attack(
    name="split-view",
    title="Two directories are shown to two people",
    gain="to log a ghost device where nobody looks who could object to it",
    variants=(
        Variant(
            name="honest-witness",
            does="The relay asks the witness to cosign both histories.",
            party="alice's client",
            check="checkpoint",
            play=on_stage(_with_an_honest_witness, witnessed=True),
        ),
        Variant(
            name="no-witness",
            does="There is no witness. Both histories have as many entries.",
            party="alice's client",
            check="split-view",
            play=on_stage(_without_a_witness),
        ),
        Variant(
            name="colluding-witness",
            does="The witness cosigns both histories for the relay. One has more entries than the other.",
            party="alice's client",
            check="split-view",
            play=on_stage(_with_a_witness_that_colludes, witnessed=True),
        ),
        Variant(
            name="victim-writes-first",
            does="There is no witness, and the victim writes before anybody has written to them.",
            party="bob's client",
            check="split-view",
            play=on_stage(_before_anybody_has_written),
            loss=Loss.READ,
        ),
    ),
)
