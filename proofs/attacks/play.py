"""Carrying an attack out."""

import tempfile
from pathlib import Path

from blindrelay.proofs.attacks.model import Attack, Outcome, Variant
from blindrelay.proofs.attacks.stage import Stage


async def carry_out(attack: Attack, variant: Variant) -> Outcome:
    """Carry a variant of an attack out, in a folder that goes away again. Cancelling leaves nothing behind.

    Raises:
        ClientError, StartupError: the stage could not be set; nothing is known about the attack then.
    """
    with tempfile.TemporaryDirectory(prefix="blindrelay-attack-") as folder:
        async with Stage(Path(folder), witnessed=variant.witnessed) as stage:
            noticed = await variant.play(stage)
            read = tuple(await stage.read())
            return Outcome(attack, variant, noticed, tuple(stage.sees), len(stage.loot()), read, stage.seconds)
