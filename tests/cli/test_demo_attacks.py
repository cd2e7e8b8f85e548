"""`blindrelay demo --attack`: it shows who notices what, and its exit code says whether anybody has."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.main import cli
from blindrelay.clients.heads import Heads
from blindrelay.proofs.attacks import catalogue
from support.commands import Ran

Run = Callable[..., Ran]


def test_an_attack_is_told_party_by_party(blindrelay: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the relay does, what each party sees, the client's own words, the check, and what was lost."""
    monkeypatch.setenv("COLUMNS", "200")
    ran = blindrelay("demo", "--attack", "ghost-device")

    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert "lists globex.example/bob/tablet among bob's devices" in ran.out
    assert "globex.example/bob/tablet is not trusted: the check 'chain' failed" in ran.out
    assert ran.out.count("✓ noticed by alice's client, by the check `") == 2
    assert ran.out.count("after the first lie: the attacker got nothing") == 2
    assert "✓ noticed by globex.example's monitor, by the check `device`" in ran.out
    assert "3 of 3 noticed" in ran.out
    assert "1 of them when something had been read" in ran.out


def test_one_way_alone(blindrelay: Run) -> None:
    """Behind a slash, one of an attack's ways; for programs, an object for each."""
    ran = blindrelay("demo", "--attack", "ghost-device/compelled-ca", "--json")

    assert (ran.code, ran.err) == (ExitCode.OK, "")
    (line,) = ran.out.splitlines()
    record = json.loads(line)
    assert (record["attack"], record["variant"]) == ("ghost-device", "compelled-ca")
    assert (record["caught"], record["noticed_by"], record["check"]) == (True, "alice's client", "inclusion")
    assert (record["envelopes_that_left"], record["loss"]) == (0, "nothing")
    assert "the check 'inclusion' failed" in record["error"]


def test_an_attack_that_nobody_notices_is_a_failure(blindrelay: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a client that does not look into the log, the ghost reads the letter, and the exit code is not zero."""
    monkeypatch.setattr(Heads, "check_included", lambda *_: None)
    monkeypatch.setenv("COLUMNS", "200")
    ran = blindrelay("demo", "--attack", "ghost-device/compelled-ca")

    assert ran.code == ExitCode.FAILED
    assert "✗ not noticed: 2 envelopes left the client, and what was sent until then was read" in ran.out
    assert "1 of 1 not noticed" in ran.out


def test_what_there_is(blindrelay: Run) -> None:
    """`list` names each attack with what it is for, and carries none out."""
    ran = blindrelay("demo", "--attack", "list", "--json")
    assert ran.code == ExitCode.OK
    records = [json.loads(line) for line in ran.out.splitlines()]
    assert [(each["attack"], each["variant"]) for each in records] == [
        (attack.name, variant.name) for attack in catalogue.every() for variant in attack.variants
    ]
    assert all(each["gain"].startswith("to ") for each in records)
    people = blindrelay("demo", "--attack", "list")
    assert people.code == ExitCode.OK
    assert all(f"{each['attack']}/{each['variant']}" in people.out for each in records)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--attack", "gost-device"], "expected one of disclosure-unlogged, ghost-device, "),
        (["--attack", "ghost-device/by-post"], "expected one of ghost-device/another-ca, "),
        (["--attack", ""], "there is no attack ''"),
        (["--json"], "--json goes with --attack"),
    ],
)
def test_what_makes_no_sense_is_said(blindrelay: Run, arguments: list[str], said: str) -> None:
    """A name that there is not is answered with those that there are; nothing is started."""
    ran = blindrelay("demo", *arguments)
    assert ran.code == ExitCode.USAGE
    assert said in " ".join(ran.err.split())


def test_interrupted_it_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C after the first of many attacks: exit code 130, no files, no traceback."""
    environment = os.environ | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "blindrelay", "demo", "--attack", "all", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["caught"]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (ExitCode.INTERRUPTED, "blindrelay: stopped")
    assert list(tmp_path.iterdir()) == []


def test_a_shell_completes_the_names() -> None:
    """`blindrelay demo --attack sp<TAB>`."""
    complete = ShellComplete(cli, {}, "blindrelay", "_BLINDRELAY_COMPLETE")
    found = complete.get_completions(["demo", "--attack"], "s")
    assert [item.value for item in found] == [name for name in catalogue.names() if name.startswith("s")]
