"""Makes the evidence: runs a relay, lets people, authorities and operators do what they do, and keeps everything that the relay
holds or emits. What is made of it is for the checks, which read the folder and nothing else.

    python -m blindrelay.proofs.evidence.record FOLDER [--quick] [--saboteur NAME] [--stages STAGE...] [--reasons REASON...]

A process of its own: a saboteur of the clients is in here, and not where the checks are. Progress goes to standard output, a
line of JSON for each stage.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.errors import ClientError
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.proofs.evidence import keylog
from blindrelay.proofs.evidence.auditor import Auditor
from blindrelay.proofs.evidence.cast import Cast
from blindrelay.proofs.evidence.folder import PLAIN
from blindrelay.proofs.evidence.lawful import main_uses, shipped, uses
from blindrelay.proofs.evidence.manifest import Trouble
from blindrelay.proofs.evidence.parent import leave_with_the_parent
from blindrelay.proofs.evidence.recording import Recording
from blindrelay.proofs.evidence.scope import Scope, Stage
from blindrelay.proofs.evidence.stages import PLAYED
from blindrelay.proofs.evidence.tap import Tap
from blindrelay.proofs.evidence.workload import Workload
from blindrelay.protocol.errors import BlindrelayError

#: What a relay serves: messages, authorities and operators, and whoever reads its public logs.
_SERVICES: Final = ("mqtt", "desk", "logs")
#: For a message that does not come: nothing here takes as long, on a machine with much else to do either. Seconds.
_PATIENCE: Final = 60.0
#: With a saboteur in it what does not come is expected not to come.
_PATIENCE_UNDER_SABOTAGE: Final = 4.0


async def record(folder: Path, scope: Scope, say: Callable[[str], None]) -> None:
    """Make the evidence in `folder`, which exists and is empty. What goes wrong is written down as trouble."""
    run = Recording(folder, scope)
    wire = folder / "wire"
    wire.mkdir()
    try:
        say("a relay, enterprises in six jurisdictions, their people and authorities")
        run.uses = uses(shipped())
        if scope.quick:
            run.uses = main_uses(run.uses)
        async with AsyncExitStack() as stack:
            witness = await stack.enter_async_context(Tap.open(wire, PLAIN))
            await stack.enter_async_context(run.witnessed(witness))
            run.bench.enter(run.uses)
            for service in _SERVICES:
                run.taps[service] = await stack.enter_async_context(Tap.open(wire, service))
            relay = await stack.enter_async_context(run.relay)
            run.aim()
            ca = (relay.data / "relay.crt").read_bytes()
            code = (relay.data / "registration-code").read_text("ascii").strip()
            run.bench.meet(DeskAddress("127.0.0.1", run.taps["desk"].port, ca))
            run.auditor = Auditor(folder, ca, run.clock)
            run.cast = Cast(RelayAddress("127.0.0.1", run.taps["mqtt"].port, ca, code), folder, run.clock, run.registry)
            run.workload = Workload(run.cast, run.registry, _PATIENCE_UNDER_SABOTAGE if scope.saboteur else _PATIENCE)
            async with run.cast:
                run.cast.plant_enterprise_keys()
                for stage in scope.stages:
                    say(stage.about)
                    await _try(run, stage)
                run.manifest.tenants, run.manifest.devices = run.cast.tenants(), run.cast.facts()
                run.manifest.letters = run.workload.letters
    finally:
        run.finish()


async def _try(run: Recording, stage: Stage) -> None:
    try:
        await PLAYED[stage](run)
    except (BlindrelayError, ClientError, OSError, TimeoutError, ValueError, LookupError) as error:
        run.manifest.troubles.append(Trouble(stage=stage.about, error=f"{type(error).__name__}: {error}"[:2_000]))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Make the evidence.")
    parser.add_argument("folder", type=Path)
    Scope.add_options(parser)
    arguments = parser.parse_args()
    leave_with_the_parent()
    began = time.monotonic()

    def say(stage: str) -> None:
        sys.stdout.write(json.dumps({"stage": stage, "seconds": round(time.monotonic() - began, 2)}) + "\n")
        sys.stdout.flush()

    keylog.keep(arguments.folder / "keylog")
    if arguments.saboteur:
        from blindrelay.proofs.saboteurs.catalogue import find  # noqa: PLC0415 - honest runs import no saboteur

        find(arguments.saboteur).in_clients()
    asyncio.run(record(arguments.folder, Scope.of(arguments), say))


if __name__ == "__main__":
    main()
