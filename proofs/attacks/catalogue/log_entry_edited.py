"""The relay changes an entry of its log after it was published: a ghost device that was logged is to look like another one.

With the entry alone, it does not fit the tree above it any more. With the whole log written anew, and signed, nothing is wrong
with it but that it is another one than before.
"""

from hashlib import sha256

from blindrelay.proofs.attacks.catalogue.ghost_device import GHOST
from blindrelay.proofs.attacks.model import Attack, Noticed, Variant
from blindrelay.proofs.attacks.reader import AUDITOR, audit
from blindrelay.proofs.attacks.stage import Stage, on_stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.transparency.directory import DeviceStated, parse


async def log_ghost(stage: Stage) -> int:
    """Write a ghost's entry into the log, where it is published; returns its index."""
    ghost = Thief.of_new_device(GHOST, stage.compelled(stage.globex), stage.clock)
    index = await stage.insider.enter(ghost.logged)
    stage.tell("the relay", f"has written {GHOST} into its log, as entry {index}, and published it")
    return index


async def _edited(stage: Stage) -> list[bytes]:
    index = await log_ghost(stage)
    entries = await stage.insider.entries()
    entry = parse(entries[index])
    assert isinstance(entry, DeviceStated)  # noqa: S101 - it was written above
    harmless = entry.model_copy(update={"certificate": sha256(b"of somebody else").hexdigest()})
    return [*entries[:index], harmless.encode(), *entries[index + 1 :]]


async def _in_its_file(stage: Stage) -> Noticed | None:
    entries = await _edited(stage)
    stage.begin()
    stage.insider.edit(entries)
    stage.tell("the relay", "changes the entry in the file in which the world reads it")
    return await audit(stage)


async def _and_signed_anew(stage: Stage) -> Noticed | None:
    entries = await _edited(stage)
    await audit(stage)
    stage.begin()
    await stage.insider.rewrite(entries, stage.folder / "rewritten", stage.clock)
    stage.tell("the relay", "writes the whole log anew with another entry in that place, and signs it")
    return await audit(stage)


async def _for_somebody_who_comes_later(stage: Stage) -> Noticed | None:
    entries = await _edited(stage)
    stage.begin()
    await stage.insider.rewrite(entries, stage.folder / "rewritten", stage.clock)
    stage.tell("the relay", "writes the whole log anew with another entry in that place, and signs it")
    return await audit(stage)


ATTACK = Attack(
    name="log-entry-edited",
    title="An entry of the log is edited after the fact",
    gain="to have logged something, and to have it look like something else when somebody looks",
    variants=(
        Variant(
            name="in-its-file",
            does="The relay changes the entry alone.",
            party=AUDITOR,
            check="entry",
            play=on_stage(_in_its_file),
        ),
        Variant(
            name="and-signed-anew",
            does="The relay writes the whole log anew, and signs it. The auditor has seen it before.",
            party=AUDITOR,
            check="split-view",
            play=on_stage(_and_signed_anew),
        ),
        Variant(
            name="for-a-newcomer",
            does="The same, for an auditor who has never seen the log; but a witness has.",
            party=AUDITOR,
            check="checkpoint",
            play=on_stage(_for_somebody_who_comes_later, witnessed=True),
        ),
    ),
)
