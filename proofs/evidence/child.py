"""The relay under proof: the product's own, in a process of its own, on a clock that the harness can move.

    python -m blindrelay.proofs.evidence.child DATA_DIR --clock FILE --audit FILE [--settings JSON] [--saboteur NAME]

It logs everything at DEBUG to standard error and leaves on SIGTERM, or when its standard input is closed. It obeys a word or
two a line: `house` (do what is due by the clock), `rest` (wait until nothing is left to be put away), `modules` (print the
modules that are loaded), `walk` (put every use of every instrument before its own policies), `fail PLACE` (see `faults`),
`faults` (print how often that has happened), `die` (fail as a whole). Each is answered with a line.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

from blindrelay.proofs.evidence.clock import TurnedClock
from blindrelay.proofs.evidence.faults import Faults, Injected
from blindrelay.protocol.errors import BlindrelayError
from blindrelay.relay import logs
from blindrelay.relay.config import Settings
from blindrelay.relay.process import run
from blindrelay.relay.server import Relay

#: What Python tells of what a process does to the outside (PEP 578).
_AUDITED: Final = frozenset(
    {
        "socket.connect",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "subprocess.Popen",
        "os.exec",
        "os.fork",
        "os.posix_spawn",
        "os.system",
    }
)

#: A relay commits and erases within seconds of its last message; then it is looked at as it is. Seconds.
_LONG_ENOUGH: Final = 20.0
_LOOK: Final = 0.02

#: What uvloop does beneath Python, where nothing is audited.
_BENEATH: Final = (
    "create_connection",
    "create_unix_connection",
    "create_datagram_endpoint",
    "sock_connect",
    "getaddrinfo",
    "subprocess_exec",
    "subprocess_shell",
)


def _audit(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        os.write(descriptor, json.dumps([event, repr(arguments)]).encode() + b"\n")

    sys.addaudithook(lambda event, arguments: note(event, arguments) if event in _AUDITED else None)
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - it is optional

        for name in _BENEATH:
            setattr(uvloop.Loop, name, _noted(name, getattr(uvloop.Loop, name), note))


def _noted(name: str, original: Any, note: Callable[[str, tuple[Any, ...]], None]) -> Any:
    @wraps(original)
    def noted(self: Any, *arguments: Any, **keywords: Any) -> Any:
        # Without the factory of a protocol, which comes first where there is one.
        note(f"uvloop.{name}", (*(each for each in arguments if not callable(each)), keywords))
        return original(self, *arguments, **keywords)

    return noted


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _obey(relay: Relay) -> None:
    """Read commands on the relay's own loop."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    faults = Faults()

    def read() -> None:
        command = os.read(sys.stdin.fileno(), 4_096).decode().strip()
        if not command:
            loop.remove_reader(sys.stdin.fileno())
            os.kill(os.getpid(), signal.SIGTERM)
            return
        task = loop.create_task(_carry_out(relay, faults, command))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_reader(sys.stdin.fileno(), read)
    _say(
        port=relay.port,
        desk_port=relay.desk_port,
        logs_port=relay.logs_port,
        operations_port=relay.operations_port,
    )


async def _carry_out(relay: Relay, faults: Faults, command: str) -> None:
    match command.split():
        case ["house"]:
            await relay.keep_house()
            _say(done=command)
        case ["rest"]:
            await _rest(relay)
            _say(done=command)
        case ["fail", place]:
            faults.arm(place)
            _say(done=command)
        case ["faults"]:
            _say(raised=faults.raised)
        case ["die"]:
            _say(done=command)
            relay._fail(Injected(f"the relay as a whole, {relay!r}"))
        case ["modules"]:
            _say(modules={name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())})
        case ["walk", *how]:
            _say(**await asyncio.to_thread(_walk, relay, quick=how == ["quickly"]))
        case _:
            _say(unknown=command)


async def _rest(relay: Relay) -> None:
    """Until nothing is left to be committed or to be erased. A relay that does not come to that is looked at as it is."""
    committer = relay.committer
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LONG_ENOUGH):
            while committer._busy or committer._untidy:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(_LOOK)


def _walk(relay: Relay, *, quick: bool) -> dict[str, Any]:
    """Put every use of every instrument before the engine that this relay decides with."""
    # Not before it is asked for: the relay's own modules have been looked at by then.
    from blindrelay.proofs.evidence.lattice import nothing_permits, walk  # noqa: PLC0415

    if relay.desk is None:
        return {}
    rules = relay.desk._rules
    policies = rules._policies  # type: ignore[attr-defined]  # the rules are those of packs
    found = walk(policies, rules.decide, quick=quick)
    for text in nothing_permits(policies, rules.decide):
        found.find("default-allow", text)
    return {"digest": rules.digest, "packs": sorted(policies.packs), **found.record()}


def main() -> None:
    """Run the relay until it is told to leave."""
    parser = argparse.ArgumentParser(description="The relay under proof.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clock", type=Path, required=True)
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--saboteur", default="")
    arguments = parser.parse_args()
    _audit(arguments.audit)
    if arguments.saboteur:
        from blindrelay.proofs.saboteurs.catalogue import find  # noqa: PLC0415 - an honest relay imports no saboteur

        find(arguments.saboteur).in_relay()
    logs.configure(level="debug", as_json=True)
    settings = Settings.model_validate({"data_dir": arguments.folder, **json.loads(arguments.settings)})
    ready: Callable[[Relay], None] = _obey
    try:
        run(settings, ready, TurnedClock(arguments.clock))
    except BlindrelayError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
