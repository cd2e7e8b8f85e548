"""Plays a scenario: moves the clock, lets things happen in their order, looks, and keeps the timeline."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from blindrelay.policies.findings import PacksRejected
from blindrelay.policies.scenarios.document import Source
from blindrelay.policies.scenarios.steps import Approve, Send, Step
from blindrelay.proofs.scenarios import invariants, narration
from blindrelay.proofs.scenarios.comparison import Comparison
from blindrelay.proofs.scenarios.docket import Docket
from blindrelay.proofs.scenarios.invariants import Sweep
from blindrelay.proofs.scenarios.looking import Look
from blindrelay.proofs.scenarios.mail import WrongWords
from blindrelay.proofs.scenarios.results import Entry, Result
from blindrelay.proofs.scenarios.world import World
from blindrelay.protocol.errors import BlindrelayError

#: Told what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _of: int) -> None:
    """For whoever does not watch."""


#: Told what has happened.
Seen = Callable[[Entry], None]


def unseen(_: Entry) -> None:
    """For whoever looks at the end."""


async def play(source: Source, variant: str | None = None, progress: Progress = silent) -> Result:
    """Run one variant of a scenario in a world of its own, which is gone afterwards.

    Nothing is raised for what is not as expected: it is in the result. Cancelling leaves nothing behind.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="blindrelay-scenario-") as folder:
        player = Player(source, variant, Path(folder), progress)
        error = await player.play()
    scenario = source.scenario
    return Result(
        path=source.path,
        scenario=scenario.scenario,
        title=scenario.title,
        variant=variant,
        variant_title=scenario.variants.get(variant or ""),
        reference=scenario.reference,
        entries=tuple(player.entries),
        error=error,
        searched=player.searched,
        disclosed=player.disclosed,
        seconds=time.monotonic() - began,
    )


class Player:
    """One run.

    Args:
        folder: where everything is kept; empty.
        seen: called with each line of the timeline, when it has happened and nothing else has.

    Attributes:
        entries: the timeline, as far as it has come.
        searched: how many bytes were searched for what people wrote.
        handed: how many bytes authorities and users were given.
        world, docket: what there is; once it has begun.
    """

    world: World
    docket: Docket

    def __init__(
        self, source: Source, variant: str | None, folder: Path, progress: Progress, seen: Seen = unseen
    ) -> None:
        scenario = source.scenario
        self.entries: list[Entry] = []
        self.handed = 0
        self._leaks: set[tuple[str, str]] = set()
        self._seen = seen
        self._source = source
        self._folder = folder
        self._progress = progress
        self._letters = scenario.letters_of(variant)
        self._steps = scenario.steps_of(variant)
        sends = [step.send for _, _, step in self._steps if step.send]
        self._sweep = Sweep(letter.text for letter in (*self._letters, *sends))
        self._given: list[tuple[str, str]] = []
        self._people = sum(len(one) for tenant in scenario.tenants for one in tenant.users.values())
        self._people += sum(tenant.more_users for tenant in scenario.tenants)
        self._logs: list[structlog.typing.EventDict] = []
        self._done = 0
        self._look: Look

    @property
    def disclosed(self) -> int:
        """How many bytes of what people wrote were found, each place and text counted once."""
        return sum(len(text.encode()) for _, text in self._leaks)

    @property
    def searched(self) -> int:
        """How many bytes were searched."""
        return self._sweep.searched

    async def play(self) -> str | None:
        """Play to the end; returns why that was not possible, if so."""
        # What the relay logs is searched, too, and shown to nobody.
        with structlog.testing.capture_logs() as self._logs:
            return await self._play()

    async def _play(self) -> str | None:
        try:
            async with World(self._source, self._folder, self._joined) as world:
                self.world, self.docket = world, Docket(world, self._folder / "authorities")
                self.docket.open()
                self._look = Look(world, self.docket, self._was_given)
                await self._go_on()
        except (BlindrelayError, PacksRejected, WrongWords, OSError) as error:
            when = f" at {self.world.now:%Y-%m-%d %H:%M}" if hasattr(self, "world") else ""
            return f"it could not be played to its end{when}: {type(error).__name__}: {error}"
        return None

    async def _go_on(self) -> None:
        letters = list(self._letters)
        for number, at, step in self._steps:
            while letters and letters[0].at <= at:
                await self._write(letters.pop(0))
            await self.world.leap(at)
            self._note(await self._step(number, step))
            self._advance(self.entries[-1].title)
        for letter in letters:
            await self._write(letter)
        self._note(await self._end())

    def _note(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._seen(entry)

    # --- what happens

    async def _write(self, letter: Send) -> None:
        await self.world.leap(getattr(letter, "at", self.world.now))
        details = await self._send(letter)
        self._note(Entry(self.world.now, narration.of_letter(letter), tuple(details)))
        self._advance(f"{letter.sender} writes")

    async def _send(self, letter: Send) -> list[str]:
        posted = await self.world.send(letter)
        if posted.refusal is not None:
            return [f"not taken: {posted.refusal}"]
        refusals = await self.world.collect(letter.to) if letter.fetched else []
        taken = f"taken for {len(posted.message_ids)} device(s)"
        read = f"decrypted on {len(posted.read_on)}" if posted.read_on else "it waits"
        return [f"{taken}; {read}", *(f"not let in: {refusal}" for refusal in refusals)]

    async def _step(self, number: int, step: Step) -> Entry:
        comparison = Comparison("step")
        at = self.world.now
        details = await self._act(step, comparison)
        comparison.take(await self._look.at(step.expect))
        self._look_everywhere(comparison)
        return Entry(
            at,
            step.title or narration.of_step(step, self._source.scenario),
            tuple(details),
            tuple(self._source.scenario.sources[key] for key in step.sources),
            self._source.lines[number],
            comparison.checked,
            tuple(comparison.findings),
        )

    async def _act(self, step: Step, comparison: Comparison) -> list[str]:  # noqa: PLR0911 - one for each action
        docket = self.docket
        if step.send:
            return await self._send(step.send)
        if step.collect:
            refusals = [one for user in step.collect for one in await self.world.collect(user)]
            return [f"not let in: {one}" for one in refusals]
        if step.demand:
            filed = await docket.hand_in(step.demand)
            detail = docket.detail(step.demand.case)
            if detail is not None and detail.decision is not None:
                invariants.compare_decision(detail.decision, comparison)
            return narration.of_answer(filed, detail)
        if step.withdraw:
            await docket.withdraw(step.withdraw)
            return narration.of_state(docket.detail(step.withdraw))
        if step.approve:
            return await self._approve(step.approve, comparison)
        if step.reject:
            await docket.reject(step.reject)
        if step.event:
            await docket.happen(step.event)
            return narration.of_state(docket.detail(step.event.case))
        if step.operate:
            await docket.operate(step.operate)
        if step.restart:
            await self.world.restart()
        return []

    async def _approve(self, approve: Approve, comparison: Comparison) -> list[str]:
        refusals = await self.docket.approve(approve)
        part = self._look.comparison("approve", approve.demand)
        for person, refusal in zip(approve.by[:-1], refusals[:-1], strict=True):
            part.same(person, "allowed to", refusal or "allowed to")
        if approve.refused != (refusals[-1] is not None):
            part.differs("refused", approve.refused, refusals[-1] or "no")
        part.checked += 1
        comparison.take(part)
        return [f"not allowed: {refusal}" for refusal in refusals if refusal]

    async def _end(self) -> Entry:
        """What holds at the end of every scenario."""
        comparison = Comparison("always")
        for case in self.docket.cases:
            detail = self.docket.detail(case)
            if detail is not None:
                await self.docket.ask(case)
                if detail.decision is not None:
                    invariants.compare_decision(detail.decision, comparison)
        for name in self.world.letters:
            comparison.same(f"mail.{name}.lost", False, await self.world.state_of(name) == "lost")
        self._look_everywhere(comparison)
        title = (
            "Always: no content or key is granted, nothing accepted is lost, what people wrote is nowhere in the clear"
        )
        details = (f"{self.searched:,} bytes searched",)
        return Entry(self.world.now, title, details, checked=comparison.checked, findings=tuple(comparison.findings))

    # --- what is searched

    def _was_given(self, what: str, data: bytes) -> None:
        self.handed += len(data)
        self._given += [(what, text) for text in self._sweep.bytes(data)]

    def _look_everywhere(self, comparison: Comparison) -> None:
        """Every byte that the relay keeps, and that anybody was given, is searched for what people wrote."""
        for case, filed in self.docket.cases.items():
            for answer in filed.answers:
                self._was_given(f"what {filed.demand.by} was told of {case}", answer.encode())
            filed.answers.clear()
        self._given += [("the relay's log", text) for text in self._sweep.bytes(repr(self._logs).encode())]
        self._logs.clear()
        found = [*self._given, *((str(path.name), text) for path, text in self._sweep.folder(self.world.data))]
        self._given.clear()
        self._leaks.update(found)
        comparison.checked += 1
        for where, text in found:
            comparison.differs("canary", f"{text!r} nowhere in the clear", f"it is in {where}")

    # --- how far it is

    def _joined(self) -> None:
        self._advance("enrolling")

    def _advance(self, what: str) -> None:
        self._done += 1
        self._progress(what, self._done, self._people + len(self._letters) + len(self._steps))
