"""A process that writes a package and that the tests kill, or give too little room.

    python -m support.package_writer FOLDER [--stop-after=PIECES] [--room=BYTES]

Says `writing` and waits for ever after so many pieces; else `written RECORDS`, or the error.
"""

import resource
import signal
import sys
from functools import partial
from pathlib import Path

from blindrelay.policies.vocabulary import DataClass
from blindrelay.relay.desk.errors import DeskError
from blindrelay.relay.desk.package import PackageMaker
from blindrelay.relay.desk.ports import Making
from blindrelay.relay.store.metadata import open_metadata_reader

from .disclosure import Desk, decision, device


def main() -> None:
    """Write `d1`."""
    folder = Path(sys.argv[1])
    options = dict(option.removeprefix("--").split("=") for option in sys.argv[2:])
    pieces = 0

    class Stopping(PackageMaker):
        def told(self, key: str, making: Making) -> None:
            nonlocal pieces
            pieces += 1
            if pieces == int(options.get("stop-after", 0)):
                say("writing")
                signal.pause()

    desk = Desk(folder)
    if "room" in options:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(options["room"]),) * 2)
    order = desk.order(decision(device("bob"), classes=frozenset({DataClass.TRAFFIC})))
    try:
        made = Stopping(partial(open_metadata_reader, folder / "relay.db"), desk.identity).write(order, folder / "d1")
    except DeskError as error:
        say(f"{type(error).__name__}: {error}")
        return
    say(f"written {made.records[DataClass.TRAFFIC]}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
