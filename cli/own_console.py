"""The console beside the relay that `up` runs: a process of its own, which says by itself where it is.

It is there when somebody sits at the terminal, for its sign-in links are printed there; into the log of a service they do not
belong.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from blindrelay.cli.ports import free

#: The fourth after the relay's own.
PORT: Final = 8_887
# It ends its streams within two. Seconds.
_STOP: Final = 10.0


@contextmanager
def own_console(relay: Path, *, as_json: bool) -> Iterator[None]:
    """A console for the relay with the data directory `relay`, for as long as this is entered. If it cannot start, it says so
    and the relay goes on."""
    arguments = ["--data-dir", str(relay), "--port", str(free(PORT)), "--die-with-parent"]
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "blindrelay.cli.main", "console", *arguments, *(["--json"] if as_json else [])],
        stdin=subprocess.DEVNULL,
        # Its own group: a Ctrl-C is ours to deal with.
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
