"""Carries out everything that a malicious relay can try, against the clients as they are in this run.

    python -m blindrelay.proofs.evidence.attacks [--saboteur NAME] [--reasons ATTACK...]

A process of its own: a saboteur of the clients is in here, and not where the checks are. A line of JSON for each attempt, to
standard output: `blindrelay.proofs.attacks.model.Outcome.record`, or `attack`, `variant` and `failed` where none could be made.
"""

import argparse
import asyncio
import json
import sys

from blindrelay.proofs.attacks import catalogue
from blindrelay.proofs.attacks.model import Attack, Variant
from blindrelay.proofs.attacks.play import carry_out
from blindrelay.proofs.evidence.parent import leave_with_the_parent
from blindrelay.proofs.evidence.scope import Scope
from blindrelay.relay import logs


async def _all(scope: Scope) -> None:
    for attack in filter(lambda attack: scope.wants(attack.name), catalogue.every()):
        for variant in attack.variants:
            sys.stdout.write(json.dumps(await _one(attack, variant)) + "\n")
            sys.stdout.flush()


async def _one(attack: Attack, variant: Variant) -> dict[str, object]:
    try:
        return (await carry_out(attack, variant)).record()
    except Exception as error:  # noqa: BLE001 - nothing is known about this one, and the others are tried
        return {"attack": attack.name, "variant": variant.name, "failed": f"{type(error).__name__}: {error}"}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Carry out what a malicious relay can try.")
    Scope.add_options(parser)
    arguments = parser.parse_args()
    leave_with_the_parent()
    logs.configure(level="error", as_json=True)  # to standard error
    if arguments.saboteur:
        from blindrelay.proofs.saboteurs.catalogue import find  # noqa: PLC0415 - honest runs import no saboteur

        find(arguments.saboteur).in_clients()
    asyncio.run(_all(Scope.of(arguments)))


if __name__ == "__main__":
    main()
