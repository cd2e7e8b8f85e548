"""Carrying an attack out."""

import tempfile
from pathlib import Path

from blindrelay.proofs.attacks.model import Attack, Outcome, Variant


async def carry_out(attack: Attack, variant: Variant) -> Outcome:
    """Carry a variant of an attack out, in a folder that goes away again. Cancelling leaves nothing behind.

    Raises:
        ClientError, StartupError: the stage could not be set; nothing is known about the attack then.
    """
    with tempfile.TemporaryDirectory(prefix="blindrelay-attack-") as folder:
        return Outcome(attack, variant, await variant.play(Path(folder)))
