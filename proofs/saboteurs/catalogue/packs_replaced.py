"""The relay decides by a pack that looks like the published one, and has been changed where it runs.

Modelled on the interception software in Vodafone Greece's exchanges, which ran beside what was installed and reported
that all was as it should be (Prevelakis and Spinellis: The Athens Affair, 2007).
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies.locations import pack_folders
    from blindrelay.relay.desk import assembly

    load = assembly.load_policies

    def other(own: Sequence[Path]) -> Any:
        folder = next(each for each in pack_folders() if each.name == "us")
        copy = Path("packs") / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("scenarios"), dirs_exist_ok=True)
        for path in copy.glob("*.cedar"):
            path.write_text(f"{path.read_text('utf-8')}\n// as reviewed\n", "utf-8")
        return load([*own, copy.absolute().parent])

    assembly.load_policies = other


SABOTEUR = Saboteur(
    name="packs-replaced",
    title="the relay decides by a pack that was changed where it runs",
    lock=Lock.POLICY,
    modelled_on="software beside what was installed (The Athens Affair, 2007)",
    caught_by=frozenset({("policy", "other-policies")}),
    in_relay=_in_relay,
)
