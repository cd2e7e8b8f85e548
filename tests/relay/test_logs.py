"""Logs (`relay/logs.py`): no second inventory."""

import ast
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import blindrelay.relay
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.errors import Malformed
from blindrelay.relay import logs
from blindrelay.relay.config import Desk, Settings
from blindrelay.relay.server import Relay

SOURCES = sorted(Path(blindrelay.relay.__file__).resolve().parent.rglob("*.py"))
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "bind"}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The logs of the other tests are as they were."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


async def test_a_relay_never_logs_with_the_defaults_of_the_library(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would print tracebacks, with what every variable held. A program that has chosen nothing gets the relay's logs."""
    structlog.reset_defaults()
    async with Relay(Settings(data_dir=tmp_path / "relay", port=0, desk=Desk(enabled=False))):
        secret = "what somebody wrote"
        structlog.get_logger().error("something failed", exc_info=Malformed(secret))
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err
    assert '"error": "Malformed"' in printed.err


def configured(**options: object) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(stream=stream, **options)  # type: ignore[arg-type]
    return stream


def test_undeclared_key_is_dropped() -> None:
    """In production a key that the inventory does not know does not reach the log."""
    stream = configured()

    structlog.get_logger().info("connection closed", seconds=1.5, sender="alice@acme.example")

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp")
    assert line == {"event": "connection closed", "level": "info", "seconds": 1.5}


def test_undeclared_key_is_an_error_in_tests() -> None:
    """Where it is strict, it raises and names the key."""
    configured(strict=True)

    with pytest.raises(logs.UndeclaredKey, match="message_id"):
        structlog.get_logger().info("accepted", message_id="00")


@pytest.mark.parametrize(("level", "text"), [("info", "Malformed"), ("debug", "Malformed: '@globex.example' is not")])
def test_text_of_an_exception_is_for_debugging(level: str, text: str) -> None:
    """An exception's text may quote an address: at the default level there is its kind and place alone."""
    stream = configured(level=level)
    try:
        UserAddress.parse("bob@@globex.example")
    except Malformed:
        structlog.get_logger().exception("request failed")

    line = json.loads(stream.getvalue())
    assert line["error"].startswith(text)
    assert "address.py:" in line["place"]
    assert ("globex" in stream.getvalue()) is (level == "debug")


def test_debug_lines_are_not_written_by_default() -> None:
    """The default level is info."""
    stream = configured()

    structlog.get_logger().debug("a detail")

    assert stream.getvalue() == ""


def test_lines_for_people() -> None:
    """Without JSON, a line is text; without a terminal, without colours."""
    stream = configured(as_json=False)

    structlog.get_logger().warning("the disk is full", count=3)

    assert "the disk is full" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


#: A process of the relay's own in which everything fails that nobody catches; each failure quotes what must not be quoted.
FAILING = """
import asyncio, logging, sys, threading
from blindrelay.relay import logs
from blindrelay.relay.config import Desk, Settings
from blindrelay.relay.server import Relay

logs.configure(level=sys.argv[1])
class Unraisable:
    def __del__(self):
        raise ValueError("bob@globex.example, unraisable")
def fail(where):
    raise ValueError("bob@globex.example, " + where)
async def main():
    logs.take_over(loop := asyncio.get_running_loop())
    loop.call_soon(fail, "in a callback")
    loop.call_exception_handler({"message": "bob@globex.example, without an exception"})
    (thread := threading.Thread(target=fail, args=("in a thread",))).start()
    thread.join()
    Unraisable()
    logging.getLogger("some.library").warning("bob@globex.example, by a library")
    await asyncio.sleep(0)
asyncio.run(main())
fail("at the end")
"""


@pytest.mark.parametrize("level", ["info", "debug"])
def test_what_nobody_has_caught_is_a_line_like_any_other(level: str) -> None:
    """In the loop, in a thread, where nothing can be raised, by a library, and at the end: kind and place, and no traceback."""
    done = subprocess.run([sys.executable, "-c", FAILING, level], capture_output=True, text=True, check=False)

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert done.stdout == ""
    assert [line["error"].partition(":")[0] for line in lines] == [
        "LibrarySays", "ValueError", "ValueError", "LibrarySays", "ValueError", "ValueError",
    ]  # fmt: skip
    assert all(line.keys() <= logs.KEYS for line in lines)
    assert ("globex" in done.stderr) is (level == "debug")


def _calls(source: Path) -> Iterator[tuple[int, ast.Call]]:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in METHODS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in {"_log", "log", "logger"}
        ):
            yield node.lineno, node


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_key_in_the_source_is_declared(source: Path) -> None:
    """Each key of each log call is in the inventory, and each event is a fixed sentence."""
    for line, call in _calls(source):
        where = f"{source.name}:{line}"
        assert {keyword.arg for keyword in call.keywords} <= {*logs.KEYS, "exc_info"}, where
        assert all(isinstance(argument, ast.Constant) for argument in call.args), f"{where}: an event is a constant"


def test_log_calls_are_found() -> None:
    """The search above does find calls: there are some in the relay."""
    assert sum(1 for source in SOURCES for _ in _calls(source)) >= 1


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nothing_else_logs(source: Path) -> None:
    """The relay logs through structlog alone: not by `logging`, not by printing; what it counts is shown in one place."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    loggers = {"logging", "prometheus_client", "opentelemetry", "statsd"} & {
        name.partition(".")[0] for name in imported
    }
    places = {"logs.py": {"logging"}, "metrics.py": {"prometheus_client"}, "traces.py": {"opentelemetry", "logging"}}
    assert loggers <= places.get(source.name, set())
