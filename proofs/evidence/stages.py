"""What happens in a run, stage by stage: people write, something goes wrong, authorities ask, time passes, an enterprise
leaves, the relay leaves."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from blindrelay.clients.errors import ClientError
from blindrelay.clients.options import Posture
from blindrelay.proofs.evidence.lawful import main_uses, running_streams
from blindrelay.proofs.evidence.probes import ClientProbes, DeskProbes
from blindrelay.proofs.evidence.recording import Recording
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.evidence.workload import LARGE

_PATIENCE: Final = 60.0
_HOUR: Final = 3_600.0
_DAY: Final = 24 * _HOUR
_SHORT_LIVED: Final = 1_800.0
#: The people of the enterprise that leaves. Authorities ask about the first.
_PARTING: Final = ("mia", "noah")


async def talk(run: Recording) -> None:
    """Everybody writes, in both postures, everything that there is to write."""
    device, work = run.cast.device, run.workload
    firsts = [device(user) for user in ("alice", "bob", "tom", "ayesha", "ravi", "mia", "carol", "dave")]
    async with run.connected():
        await work.ring(firsts, Posture.STANDARD)
        await work.ring(firsts, Posture.SEALED)
        group = await work.group(device("alice"), [device("bob"), device("carol"), device("tom")])
        await work.chat(device("bob"), [device("alice"), device("tom")], to=group)
        await work.mail(device("bob"), [device("alice"), device("carol")])
        await work.mail(device("alice"), [device("bob")], posture=Posture.SEALED, size=5_000 if run.quick else LARGE)
        await work.retract(device("carol"), device("dave"))
        work.search(device("alice"), "in all that was written")
        over = asyncio.Event()
        loads = [
            asyncio.create_task(work.busy(device(one), device(other), over))
            for one, other in (("tom", "ayesha"), ("ravi", "mia"))
        ]
        begun = asyncio.create_task(work.more(len(loads)))
        try:
            await asyncio.wait([begun, *loads], return_when=asyncio.FIRST_COMPLETED)
            await run.look("under-load", memory=True, loaded=True)
        finally:
            begun.cancel()
            over.set()
            await asyncio.gather(*loads)


async def wait(run: Recording) -> None:
    """Some are away, and letters wait for them."""
    device, work = run.cast.device, run.workload
    # Of what is asked for since then, there are connections outside and inside.
    run.bench.since = datetime.fromtimestamp(run.clock.turn_to_next_hour(), UTC)
    await run.relay.tell("house")
    async with run.connected():
        await work.ring([device(user) for user in ("alice", "bob", "tom", "ayesha", "ravi", "mia")], Posture.STANDARD)
    async with run.connected("alice", "carol"):
        for posture in Posture:
            await device("alice").send(device("bob").user, work.words(f"waits for bob, {posture}"), posture=posture)
        await device("carol").send_mail(
            device("bob").user, work.words("subject of what waits for bob"), work.words("mail that waits for bob")
        )
    await run.look("waiting", memory=not run.quick)


async def try_clients(run: Recording) -> None:
    """What a relay could try on clients."""
    probes = ClientProbes(run.cast, run.workload, run.relay.data / "relay.db", run.clock)
    run.manifest.probes += await probes.carry_out()


async def fail(run: Recording) -> None:
    """Somewhere in the relay an exception is raised that nobody has expected; whatever it was in the way of is done again."""
    device, work, tell = run.cast.device, run.workload, run.relay.tell
    async with run.connected("alice", "tom", "mia"):
        await tell("fail letter")  # the connection is closed, and the letter is sent again over another one
        await work.chat(device("alice"), [device("tom")])
        await tell("fail request")
        with contextlib.suppress(ClientError):
            await device("mia").my_data()
        await work.chat(device("mia"), [device("tom")])
    use = main_uses(run.uses)[0]
    for place in ("call", "step"):
        await tell(f"fail {place}")
        await run.bench.petition(use)
    await tell("house")
    run.manifest.faults |= (await tell("faults"))["raised"]


async def ask(run: Recording) -> None:
    """Authorities ask for everything under every instrument."""
    run.clock.advance(1.0)  # times are kept by the second: what has happened is inside of what is asked for
    for use in run.uses:
        await run.bench.petition(use)
    for use in main_uses(run.uses):
        await run.bench.identify(use)
    urgent = main_uses(run.uses)
    for use in urgent if run.quick else run.uses:
        await run.bench.urge(use)
    run.manifest.probes += await DeskProbes(run.bench, run.folder, run.clock).carry_out(urgent[0])
    streams = list(running_streams(run.bench.cases))[: 3 if run.quick else None]
    following = [asyncio.create_task(run.bench.follow(case, demand, 3.0, ended=False)) for case, demand in streams]
    async with run.connected():
        await run.workload.ring([run.cast.device(user) for user in ("alice", "tom", "ayesha")], Posture.STANDARD)
        await run.workload.ring([run.cast.device(user) for user in ("alice", "tom", "ayesha")], Posture.SEALED)
        await run.workload.read(run.cast.device("bob"))
    await asyncio.gather(*following)
    async with run.connected("alice"):
        words = run.workload.words("expires before dave comes")
        receipt = await run.cast.device("alice").send(run.cast.device("dave").user, words, expires_in=_SHORT_LIVED)
        await receipt.accepted(_PATIENCE)
    await run.audit("delivered")
    await run.relay.tell("rest")
    await run.look("delivered", memory=not run.quick)


async def age(run: Recording) -> None:
    """Time passes: letters expire, orders end, records go."""
    run.clock.advance(1.5 * _HOUR)
    await run.relay.tell("house")
    async with run.connected("alice", "tom", "ayesha"):
        await run.workload.ring([run.cast.device(user) for user in ("alice", "tom", "ayesha")], Posture.STANDARD)
    for case, demand in list(running_streams(run.bench.cases))[: 3 if run.quick else None]:
        await run.bench.follow(case, demand, 1.0, ended=True)
    await run.audit("expired")
    await run.relay.tell("rest")
    await run.look("expired")
    run.clock.advance(31 * _DAY)
    await run.relay.tell("house")
    async with run.connected():
        for address, device in run.cast.devices.items():
            await device.fetch_notices()
            run.manifest.notices[address] = [kept.notice.model_dump_json() for kept in device.kept_notices()]
    await run.bench.ask_again()
    await run.audit("aged")
    await run.relay.tell("rest")
    await run.look("aged")


async def depart(run: Recording) -> None:
    """An enterprise leaves: of one of its people an order may keep records, of the other none does, and mail waits for both."""
    device, work = run.cast.device, run.workload
    async with run.connected(*_PARTING, "alice", "carol"):
        await work.ring([device(user) for user in (*_PARTING, "alice", "carol")], Posture.STANDARD)
        await work.ring([device(user) for user in _PARTING], Posture.SEALED)
    async with run.connected("alice"):
        for user in _PARTING:
            for posture in Posture:
                receipt = await device("alice").send(
                    device(user).user, work.words(f"waits for {user}, who leaves, {posture}"), posture=posture
                )
                await receipt.accepted(_PATIENCE)
    enterprise = run.cast.enterprises[device(_PARTING[0]).address.tenant]
    await run.look("parting")
    await enterprise.leave()
    run.manifest.left.append(enterprise.name)
    await run.audit("left")
    await run.relay.tell("rest")
    await run.look("left")


async def end(run: Recording) -> None:
    """What the relay has loaded, and how it leaves: as asked, and when it is aborted."""
    run.manifest.modules = (await run.relay.tell("modules"))["modules"]
    run.manifest.policies = await run.relay.tell("walk quickly" if run.quick else "walk")
    run.manifest.exit_status = await run.relay.stop()
    await run.start()
    await run.audit("restarted")
    await run.relay.stop(signal.SIGABRT)
    await run.start()
    await run.relay.tell("die")
    run.manifest.faults["the relay"] = int(await run.relay.wait() != 0)
    await run.look("stopped")


#: How each is played.
PLAYED: Final[dict[Stage, Callable[[Recording], Awaitable[None]]]] = {
    Stage.TALK: talk,
    Stage.WAIT: wait,
    Stage.TRY: try_clients,
    Stage.FAIL: fail,
    Stage.ASK: ask,
    Stage.AGE: age,
    Stage.DEPART: depart,
    Stage.LEAVE: end,
}
