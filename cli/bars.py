"""Progress bars for long work: on stderr, where that is a terminal, and gone when the work is done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

#: Told how much is done, of how much; 0 while that is not known.
Told = Callable[[int, int], None]

# How often somebody far away is asked how far they are. Seconds.
_LOOK: Final = 0.25


@contextmanager
def bar_of_bytes(what: str) -> Iterator[Told]:
    """A bar for so many bytes of so many."""
    with _bar(what, DownloadColumn()) as told:
        yield told


@contextmanager
def bar_of_items(what: str) -> Iterator[Told]:
    """A bar for so many things of so many."""
    with _bar(what, MofNCompleteColumn()) as told:
        yield told


@contextmanager
def bar_of(what: str, look: Callable[[], tuple[int, int] | None]) -> Iterator[None]:
    """A bar for what somebody else does meanwhile, who is asked now and then how far it is; None: it is not under way."""
    over = threading.Event()
    with _bar(what, MofNCompleteColumn()) as told:
        if not Console(stderr=True).is_terminal:
            yield
            return
        watching = threading.Thread(target=_watch, args=(look, told, over), daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()


def _watch(look: Callable[[], tuple[int, int] | None], told: Told, over: threading.Event) -> None:
    while not over.wait(_LOOK):
        if found := look():
            told(*found)


@contextmanager
def _bar(what: str, amount: ProgressColumn) -> Iterator[Told]:
    terminal = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        task = progress.add_task(what, total=None, visible=False)
        yield lambda done, of: progress.update(task, completed=done, total=of or None, visible=True)
