"""The relay takes an entry out of its log after it was published: the ghost that was logged is never to have been there."""

from blindrelay.proofs.attacks.catalogue.log_entry_edited import log_ghost
from blindrelay.proofs.attacks.model import Attack, Noticed, Variant
from blindrelay.proofs.attacks.reader import AUDITOR, audit
from blindrelay.proofs.attacks.stage import Stage, on_stage


async def _shortened(stage: Stage) -> list[bytes]:
    index = await log_ghost(stage)
    await stage.person(stage.globex, "carol")
    await stage.insider.log.publish()
    entries = await stage.insider.entries()
    return [*entries[:index], *entries[index + 1 :]]


async def _from_its_file(stage: Stage) -> Noticed | None:
    entries = await _shortened(stage)
    stage.begin()
    stage.insider.edit(entries)
    stage.tell("the relay", "takes the entry out of the file in which the world reads it")
    return await audit(stage)


async def _and_signed_anew(stage: Stage) -> Noticed | None:
    entries = await _shortened(stage)
    await audit(stage)
    stage.begin()
    await stage.insider.rewrite(entries, stage.folder / "rewritten", stage.clock)
    stage.tell("the relay", "writes the whole log anew without the entry, and signs it")
    return await audit(stage)


ATTACK = Attack(
    name="log-entry-removed",
    title="An entry of the log is removed after the fact",
    gain="to have logged something, and to have nobody find it when somebody looks",
    variants=(
        Variant(
            name="from-its-file",
            does="The relay takes the entry out of the file in which the world reads it.",
            party=AUDITOR,
            check="entry",
            play=on_stage(_from_its_file),
        ),
        Variant(
            name="and-signed-anew",
            does="The relay writes the whole log anew without the entry, and signs it. The auditor has seen it before.",
            party=AUDITOR,
            check="rollback",
            play=on_stage(_and_signed_anew),
        ),
    ),
)
