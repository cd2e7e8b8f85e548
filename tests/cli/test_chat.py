"""`blindrelay client chat`, through a pipe and on a screen."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from support.commands import Ran

Call = Callable[..., Ran]


@contextlib.contextmanager
def chat(office: Path, device: str, with_: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A chat whose terminal is a pipe."""
    command = [
        sys.executable,
        "-m",
        "blindrelay",
        "client",
        "chat",
        "--home",
        str(office),
        "--as",
        f"acme.example/{device}",
    ]
    with subprocess.Popen(
        [*command, *arguments, with_],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def say(process: "subprocess.Popen[str]", *lines: str) -> None:
    """Type lines."""
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines))
    process.stdin.flush()


def wait_line(process: "subprocess.Popen[str]", *parts: str) -> str:
    """Read until a line has all of `parts`."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if all(part in line for part in parts):
            return line
    raise AssertionError(f"no line has {parts}: {seen}")


def test_two_people_talk_and_see_the_ticks(office: Path) -> None:
    """What one types the other reads, and the ticks go from accepted to read."""
    with (
        chat(office, "alice/laptop", "bob@acme.example") as alice,
        chat(office, "bob/phone", "alice@acme.example") as bob,
    ):
        say(alice, "Shall we meet?")
        wait_line(bob, "alice@acme.example: Shall we meet?")
        wait_line(alice, "Shall we meet?", "✓✓ read")
        say(bob, "At noon.")
        wait_line(alice, "bob@acme.example: At noon.")
        say(alice, "/sealed", "Nobody knows who says this", "/retract")
        wait_line(bob, "(sealed)", "(taken back)")
        say(alice, "/quit")
        assert (alice.wait(30), bob.poll()) == (0, None)


def test_mistakes_are_remarks(office: Path) -> None:
    """What cannot be done is said, and the chat goes on."""
    with chat(office, "alice/laptop", "bob@acme.example") as alice:
        say(alice, "/frobnicate", "/retract 99", "/expire soon x", "/expire 5m", "/who", "/verify", "/help")
        for part in (
            "no /frobnicate",
            "no such message",
            "expected a duration",
            "expected a duration",
            "phone",
            "safety number",
        ):
            wait_line(alice, " -- ", part)
        assert alice.stdin is not None
        alice.stdin.close()
        assert alice.wait(30) == 0


def test_end_of_input_ends_it_after_everything_is_accepted(office: Path, client: Call, tmp_path: Path) -> None:
    """A file can be said, too: each line is a message."""
    file = tmp_path / "lines"
    file.write_text("one\n\ntwo\n")
    command = [
        sys.executable,
        "-m",
        "blindrelay",
        "client",
        "chat",
        "--home",
        str(office),
        "--as",
        "acme.example/alice/laptop",
    ]
    with file.open() as lines:
        subprocess.run([*command, "bob@acme.example"], stdin=lines, check=True, capture_output=True, timeout=60)
    heard = (
        client("bob/phone", "history", "alice@acme.example").out + client("bob/phone", "listen", "--timeout", "2").out
    )
    assert "one" in heard
    assert "two" in heard


def test_key_store_is_used_by_one_command_at_a_time(office: Path, client: Call) -> None:
    """A second command of the same device is told, and the first one goes on."""
    with chat(office, "alice/laptop", "bob@acme.example") as alice:
        say(alice, "/help")
        wait_line(alice, "/quit")
        assert client("alice/laptop", "listen").code == ExitCode.STORE_UNREADABLE
        say(alice, "/quit")
        assert alice.wait(30) == 0


@pytest.mark.parametrize("with_", ["nobody's group", "not an@address"])
def test_chat_with_nobody_is_refused(client: Call, with_: str) -> None:
    """Whom it is with is checked before anything is shown."""
    ran = client("alice/laptop", "chat", with_)
    assert ran.code in (ExitCode.USAGE, ExitCode.MALFORMED)
    assert ran.out == ""
