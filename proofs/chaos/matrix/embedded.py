"""Faults of the disk under the embedded store: a scripted run under strace, whose n-th call fails. See `boundaries`."""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from blindrelay.proofs.chaos import boundaries
from blindrelay.proofs.chaos.matrix.database import NotPossibleHere, small_disk
from blindrelay.proofs.chaos.matrix.plan import Plan, Verdict
from blindrelay.proofs.chaos.matrix.timeline import Timeline
from blindrelay.proofs.chaos.run import count
from blindrelay.protocol.clock import SystemClock

# The script makes some thirty syncs and some hundreds of writes. Each attempt that fails is one of them, too.
_SYNCS = (3, 28)
_WRITES = (60, 160)
_WITHOUT_ROOM = (6, 16)
_DISK = "24m"


async def failing_disk(plan: Plan, folder: Path, say: Callable[[str], None] = lambda _: None) -> Verdict:
    """Carry out `disk-full` or `sync-fails` on SQLite. Raises `NotPossibleHere`: there is no strace.

    A full disk is a real one in every second run, where one may be mounted.
    """
    if shutil.which("strace") is None:
        raise NotPossibleHere("strace is not installed: it makes writes and syncs fail")
    chance = plan.chance("disk")
    with Timeline(folder, SystemClock()) as timeline, ExitStack() as stack:
        timeline.write("plan", fault=plan.fault.name, seed=plan.seed, engine=plan.engine, nodes=1)
        (folder / "template").mkdir()
        (folder / "run").mkdir()
        template = await boundaries.prepare(folder / "template")
        disk = stack.enter_context(small_disk(_DISK)) if plan.fault.small_disk and _may_mount(plan) else None
        if disk is not None:
            what = "the disk has no byte left for a third of the run"
            played = boundaries.fill_disk(template, folder / "run", disk)
        elif plan.fault.name == "sync-fails":
            number, once = chance.randint(*_SYNCS), chance.random() < 0.5
            what = f"sync {number} fails with EIO" + ("" if once else ", and all after it")
            played = boundaries.fail_at(template, folder / "run", number, once=once)
        else:
            first = chance.randint(*_WRITES)
            last = first + chance.randint(*_WITHOUT_ROOM)
            what = f"writes {first} to {last} find no room"
            played = boundaries.no_room_between(template, folder / "run", first, last)
        timeline.write("strike", what=what)
        say(what)
        performance = await played
    return Verdict(plan, tuple(performance.findings), count(performance.entries), notes=(what,))


def _may_mount(plan: Plan) -> bool:
    return plan.seed % 2 == 0 and not os.geteuid()
