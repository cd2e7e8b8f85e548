"""The fault `client-killed`: two people with real encryption, whose clients are killed in the middle of a ratchet step.

They write to each other without a pause. Each is killed at a random point, or in a commit of its key store that was drawn
beforehand, and started again, perhaps at another node; in the end their key stores are compared with their notes.
"""

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.vault import CHEAP
from blindrelay.proofs.chaos.matrix.notes import HABITS, PASSPHRASE, Notes, judge
from blindrelay.proofs.chaos.matrix.plan import Plan, Verdict
from blindrelay.proofs.chaos.matrix.service import STARVED, Recovery, too_late
from blindrelay.proofs.chaos.matrix.site import Shape, Site
from blindrelay.proofs.chaos.matrix.timeline import Timeline
from blindrelay.proofs.chaos.oracle import Finding, Invariant
from blindrelay.proofs.engines import postgres
from blindrelay.protocol.clock import Clock, SystemClock

_TENANT: Final = "ratchet.example"
_NAMES: Final = ("alice", "bob")
# A client that is to die in a commit makes as many within this time; else it is killed all the same. Seconds.
_DEATH_PATIENCE: Final = 6.0
_LEAVE_PATIENCE: Final = 15.0
_HISTORY: Final = 100_000
_POLL: Final = 0.05


class _Person:
    """One of them: a process that comes and goes, its notes and its key store."""

    def __init__(self, name: str, folder: Path, site: Site, clock: Clock) -> None:
        self.name = name
        self.notes = Notes(folder / f"{name}.notes", clock)
        self.folder = folder / name
        self._other = next(f"{other}@{_TENANT}" for other in _NAMES if other != name)
        self._site = site
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, port: int, die_at: int = 0) -> None:
        """Come to the node at `port`; `die_at`: see `person`."""
        command = [sys.executable, "-m", "blindrelay.proofs.chaos.matrix.person", str(self.folder), "--to", self._other]
        command += ["--port", str(port), "--ca", str(self._site.identity / "relay.crt")]
        command += ["--notes", str(self.folder.with_suffix(".notes")), "--die-at", str(die_at)]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,  # it leaves when this pipe closes: nobody is left behind
                stderr=log,
                start_new_session=True,
            )

    async def died(self, patience: float) -> bool:
        """Wait until it is dead; False: it lives, and is killed now."""
        assert self._process is not None  # noqa: S101 - it was started
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
                return True
        except TimeoutError:
            await self.kill()
            return False

    async def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    def hush(self) -> None:
        """Write no more."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(b"hush\n")

    async def leave(self) -> int | None:
        """Leave in good order; the exit status, None: it did not."""
        assert self._process is not None  # noqa: S101 - it was started
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.close()
        return self._process.returncode if await self.died(_LEAVE_PATIENCE) else None

    def stored(self, relay: RelayAddress) -> list[int]:
        """What its key store has of the other's letters, in order."""
        device = Device.open(self.folder, PASSPHRASE, relay, options=HABITS)
        try:
            history = device.history(self._other, limit=_HISTORY)
            return [int(message.text) for message, _ in history if message.sender != device.user]
        finally:
            device.close()

    def log_end(self) -> str:
        """The end of what it wrote to standard error."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-1_000:] if self._log.exists() else ""


class RatchetRun:
    """See the module. As `run.MatrixRun`."""

    def __init__(
        self, plan: Plan, folder: Path, database: postgres.Server | None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._database = database
        self._say = say
        self._clock = SystemClock()
        self._findings: list[Finding] = []
        self._recoveries: list[Recovery] = []
        self._kills: Counter[str] = Counter()
        self._waited = 0.0
        self._timeline: Timeline

    async def carry_out(self) -> Verdict:
        """Do it, and judge it."""
        plan = self._plan
        async with AsyncExitStack() as stack:
            self._timeline = stack.enter_context(Timeline(self._folder, self._clock))
            self._timeline.write("plan", fault=plan.fault.name, seed=plan.seed, engine=plan.engine, nodes=plan.nodes)
            self._say("the deployment is started")
            site = await stack.enter_async_context(Site(self._folder, Shape(plan.nodes, self._database)))
            relay = RelayAddress(
                "127.0.0.1", site.nodes[0].port, (site.identity / "relay.crt").read_bytes(), site.registration_code
            )
            people = [_Person(name, self._folder, site, self._clock) for name in _NAMES]
            async with Enterprise.create(_TENANT, relay) as enterprise:
                for person in people:
                    await enterprise.issue(person.name, "phone", person.folder, PASSPHRASE, cost=CHEAP)
            for person in people:
                stack.push_async_callback(person.kill)
            await self._trouble(site, people)
            await self._calm(people)
            self._waited = site.waited
            letters = [(a, b, b.stored(relay)) for a, b in (people, people[::-1])]
        for sender, recipient, stored in letters:
            pair = f"{sender.name} -> {recipient.name}"
            self._findings += judge(pair, sender.notes, recipient.notes, stored)
        return self._verdict(people)

    async def _trouble(self, site: Site, people: list[_Person]) -> None:
        chance = self._plan.chance("kills")
        for person in people:
            await person.start(chance.choice(site.ports))
        await self._writing(people, self._clock.monotonic())
        until = self._clock.monotonic() + self._plan.seconds
        while not self._kills or self._clock.monotonic() < until:
            person = chance.choice(people)
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            await person.kill()
            self._note("at a random point", person.name)
            if chance.random() < 0.75:  # the next time in a commit, which is where the ratchet moves on
                number = chance.randint(1, 60)
                await person.start(chance.choice(site.ports), number)
                dead = await person.died(_DEATH_PATIENCE)
                self._note(f"in commit {number}" if dead else "at a random point", person.name)
            began = self._clock.monotonic()
            await person.start(chance.choice(site.ports))
            await self._writing(people, began)

    def _note(self, how: str, name: str) -> None:
        self._kills[how.partition(" ")[0]] += 1
        self._timeline.write("strike", what=f"kill -9 of {name}'s client, {how}")
        self._say(f"kill -9 of {name}'s client, {how}")

    async def _writing(self, people: list[_Person], since: float) -> None:
        """Wait until each has written since then, and each has been given something."""
        deadline = since + 15.0
        took: dict[str, float] = {}
        while len(took) < 2 * len(people) and self._clock.monotonic() < deadline:
            await asyncio.sleep(_POLL)
            for person in people:
                for what, _, at in person.notes.lines():
                    if at >= since and what in {"sent", "got"}:
                        took.setdefault(f"{person.name} {what}", at - since)
        sent, got = (
            max(times) if len(times := [took[key] for key in took if key.endswith(what)]) == len(people) else None
            for what in ("sent", "got")
        )
        self._recoveries.append(Recovery("client-killed", sent, got))
        self._timeline.write("served", acknowledged=sent, delivered=got)

    async def _calm(self, people: list[_Person]) -> None:
        self._say("what is in flight is brought to an end")
        for person in people:
            person.hush()
        first, second = people
        deadline = self._clock.monotonic() + self._plan.patience
        while self._clock.monotonic() < deadline and not (  # noqa: ASYNC110 - it is other processes that are waited for
            _all_there(first, second) and _all_there(second, first)
        ):
            await asyncio.sleep(_POLL)
        for person in people:
            if (status := await person.leave()) != 0:
                what = f"{person.name}'s client left with {status}: {person.log_end()}"
                self._findings.append(Finding(Invariant.I10, what))

    def _verdict(self, people: list[_Person]) -> Verdict:
        intents = sum(len(person.notes.numbers("intent")) for person in people)
        sent = sum(len(person.notes.numbers("sent")) for person in people)
        counts = Counter({"messages": intents, "acked": sent})
        kills = f"{sum(self._kills.values())} kills, {self._kills['in']} of them in a commit of the key store"
        findings = (*self._findings, *(too_late(self._recoveries) if self._waited < STARVED else ()))
        return Verdict(self._plan, findings, counts, tuple(self._recoveries), notes=(kills,), waited=self._waited)


def _all_there(sender: _Person, recipient: _Person) -> bool:
    """Whether the last letter has come: they come in order, and what was taken by a client that died was noted by none."""
    sent = sender.notes.numbers("sent")
    return not sent or sent[-1] in recipient.notes.numbers("got")
