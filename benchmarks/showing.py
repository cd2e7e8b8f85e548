"""What the console costs: how soon one sees something, whether memory stays flat while much happens, a graph of many records.

It is `blindrelay demo --open` that is measured, as it is, with Chromium in front of it. The browser's garbage is collected
before its heap is read: what is left is what the page holds.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import psutil  # type: ignore[import-untyped]
from playwright.async_api import Browser, Error, Page, Playwright, async_playwright, expect

from benchmarks.processes import Failed, start, stop
from benchmarks.report import Measurement, Report
from benchmarks.world import World
from blindrelay.proofs.traffic.population import invent

CHROMIUM: Final = Path("/usr/bin/chromium")
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"]
RATE: Final = 50
FIRST_AIM: Final = 1.0
#: How much more memory than after the first fifth is no growth: caches fill, and the allocator keeps what was needed once.
FLAT_AIM: Final = 0.1
GRAPH: Final = 100_000
GRAPH_AIM: Final = 10.0
ROUNDS: Final = 5
# Between two looks at memory. Seconds.
_EVERY: Final = 10.0
_PATIENCE: Final = 120_000.0
_LEAST: Final = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """A demonstration that runs, and a window on it, signed in."""

    url: str
    processes: dict[str, psutil.Process]
    page: Page
    browser: Browser


@dataclass(slots=True)
class Memory:
    """What was held at each look, in bytes, by whom. `messages`: when it was looked at, and its newest message."""

    held: dict[str, list[int]] = field(default_factory=dict)
    messages: list[tuple[float, int]] = field(default_factory=list)

    def growth(self, who: str) -> float:
        """How much more at the end than after the first fifth: medians of a fifth each."""
        looks = self.held[who]
        fifth = max(1, len(looks) // 5)
        return median(looks[-fifth:]) / median(looks[fifth : 2 * fifth] or looks) - 1

    @property
    def rate(self) -> float:
        """Messages a second."""
        (first, before), (last, after) = self.messages[0], self.messages[-1]
        return (after - before) / max(1e-9, last - first)


async def console(world: World, report: Report) -> None:
    """See the module."""
    if not CHROMIUM.exists():
        report.console.print("Chromium is not installed: left out")
        return
    async with async_playwright() as playwright, _shown(playwright) as shown:
        report.add(await _first_view(shown))
        report.add(await _graph(shown, min(GRAPH, world.scale.records)))
        report.add(await _many(shown, world.scale.minutes * 60))


@asynccontextmanager
async def _shown(playwright: Playwright) -> AsyncIterator[Shown]:
    command = [sys.executable, "-m", "blindrelay", "demo", "--open", "--json", "--port", "0"]
    process = await start(command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline() or "{}")
        if "url" not in said:
            raise Failed(f"the demonstration ended with exit code {await process.wait()} before it was ready")
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        page.set_default_timeout(_PATIENCE)
        await page.goto(said["links"]["demonstrator"])
        await expect(page.locator(".message").first).to_be_visible(timeout=_PATIENCE)
        yield Shown(said["url"], _processes(process.pid), page, browser)
        await browser.close()
    except (Error, AssertionError) as error:
        raise Failed(f"the page did not show what it should: {error}") from error
    finally:
        await stop(process)


def _processes(demonstration: int) -> dict[str, psutil.Process]:
    """By what they do. The console is the process that has started the others."""
    own = psutil.Process(demonstration)
    names = {"console.cast": "people", "up": "relay", "witness": "witness"}
    found = {"console": own}
    for child in own.children(recursive=True):
        words = " ".join(child.cmdline()).replace("blindrelay.", "").split()
        found.update({name: child for word, name in names.items() if word in words and name not in found})
    return found


async def _first_view(shown: Shown) -> Measurement:
    """From asking for the page until something is painted, and until the newest message is there. Nothing is in the cache."""
    painted, complete, size = [], [], 0
    cookies = await shown.page.context.cookies()
    for _ in range(ROUNDS):
        context = await shown.browser.new_context()
        await context.add_cookies(cookies)  # type: ignore[arg-type]
        page = await context.new_page()
        began = perf_counter()
        await page.goto(f"{shown.url}/live", wait_until="commit")
        await expect(page.locator(".message").first).to_be_visible(timeout=_PATIENCE)
        complete.append(perf_counter() - began)
        painted.append(
            await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1_000
        )
        size = await page.evaluate(
            "performance.getEntriesByType('resource').reduce((sum, one) => sum + one.encodedBodySize, 0)"
        )
        await context.close()
    worst = max(complete)
    return Measurement(
        "console: the first view",
        {
            "s until something is painted": round(median(painted), 2),
            "s until the newest message is there": round(median(complete), 2),
            "s at worst": round(worst, 2),
            "kB": round(size / 1_000),
        },
        f"< {FIRST_AIM:.0f} s",
        worst < FIRST_AIM,
    )


async def _graph(shown: Shown, count: int) -> Measurement:
    """From choosing a trace of so many records until it is drawn."""
    scenario = invent(people=800, days=max(5, 400 * count // GRAPH), seed=1)
    records = ((event.sender, to, event.at) for event in scenario.events for to in event.recipients)
    lines = "\n".join(f"{sender} {to} {at:.0f}" for sender, to, at in islice(records, count))
    page = shown.page
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(int(answer.headers.get("content-length", 0))))
    await page.goto(f"{shown.url}/metadata")
    say = page.locator("#say")
    await expect(say).to_contain_text("is probably the boss", timeout=_PATIENCE)
    with tempfile.TemporaryDirectory(prefix="blindrelay-trace-") as folder:
        trace = Path(folder) / "trace.txt"
        await asyncio.to_thread(trace.write_text, lines)
        began = perf_counter()
        await page.locator("#trace").set_input_files(trace)
        await expect(say).to_contain_text(f"From {count:,} records", timeout=_PATIENCE)
        took = perf_counter() - began
    drawn = await page.locator(".graph circle, .graph .edge").count()
    return Measurement(
        f"console: what can be concluded from {count:,} records",
        {
            "s until it is drawn": round(took, 1),
            "kB of answer": round(answers[-1] / 1_000),
            "people and pairs drawn": drawn,
        },
        f"< {GRAPH_AIM:.0f} s",
        took < GRAPH_AIM,
    )


async def _many(shown: Shown, seconds: float) -> Measurement:
    """`RATE` messages a second, looked at live."""
    page = shown.page
    await page.goto(f"{shown.url}/live")
    await page.get_by_role("button", name="Fifty").click()
    chrome = await page.context.new_cdp_session(page)
    await chrome.send("Performance.enable")
    memory = Memory()
    before: dict[str, float] = {}
    looks = max(_LEAST, round(seconds / _EVERY))
    for _ in range(looks):
        await asyncio.sleep(seconds / looks)
        await chrome.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in (await chrome.send("Performance.getMetrics"))["metrics"]}
        memory.held.setdefault("page", []).append(int(metrics["JSHeapUsedSize"]))
        for name, process in shown.processes.items():
            memory.held.setdefault(name, []).append(int(process.memory_info().rss))
        before = before or {who: _cpu(process) for who, process in shown.processes.items()}
        newest = await page.locator(".message").first.get_attribute("data-key") or "m0"
        memory.messages.append((perf_counter(), int(newest[1:])))
    growths = {who: memory.growth(who) for who in memory.held}
    took = memory.messages[-1][0] - memory.messages[0][0]
    values: dict[str, float | str] = {"messages a second": round(memory.rate, 1)}
    for who, process in shown.processes.items():
        values[f"processors of {who}"] = round((_cpu(process) - before[who]) / took, 2)
    for who, looked in memory.held.items():
        values[f"{who}, MB"] = f"{looked[len(looked) // 5] / 1e6:.1f} to {looked[-1] / 1e6:.1f} ({growths[who]:+.1%})"
    watched = ("page", "console", "relay")
    return Measurement(
        f"console: {seconds / 60:g} minutes live",
        values,
        f"{RATE}/s; no more than {FLAT_AIM:.0%} more memory in page, console and relay than after the first fifth",
        memory.rate >= 0.9 * RATE and all(growths[who] <= FLAT_AIM for who in watched),
    )


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
