"""How far a package is, for the people at the desk: it may have millions of records, and takes its time."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from blindrelay.cli import desk_cases
from support.running_desk import Running
from support.tenants import Tenant

_GROUP = click.Group("desk", commands=[desk_cases.approve, desk_cases.list_])


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A desk whose packages are half made until `office.outside.slow` is set."""
    with Running(tmp_path / "relay", tmp_path, Tenant("karachi.example", tmp_path)) as running:
        running.office.outside.slow = threading.Event()
        yield running
        running.office.outside.slow.set()


def desk(running: Running, person: str, *arguments: str) -> None:
    """Run `blindrelay desk ...`."""
    options = ["--data-dir", str(running.folder), "--token-file", str(running.token_file(person))]
    _GROUP.main([*arguments, *options], "desk", standalone_mode=False)


class Watched(threading.Thread):
    """Bea's approval, the last one that it takes, while the test goes on."""

    def __init__(self, running: Running, case: str) -> None:
        super().__init__()
        self._running, self._case = running, case

    def run(self) -> None:
        """Approve."""
        desk(self._running, "bea", "approve", self._case, "d1", "--json")


def test_who_approves_last_sees_how_far_the_package_is(
    running: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar on a terminal's stderr; the list says the same to everybody else; stdout has the outcome and nothing else."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    slow = running.office.outside.slow
    assert slow is not None
    case = running.receive().case_id
    desk(running, "ada", "approve", case, "d1", "--json")
    capsys.readouterr()

    approving = Watched(running, case)
    approving.start()
    seen = ""
    while "430000/1000000" not in seen:
        seen += capsys.readouterr().err
        assert approving.is_alive()
    desk(running, "ada", "list", "--json")
    listed = json.loads(capsys.readouterr().out)
    slow.set()
    approving.join(30)

    assert "making the package" in seen
    assert listed["waits_for"] == ["d1: its package, 430,000 of 1,000,000 records gone through"]
    assert json.loads(capsys.readouterr().out)["summary"]["state"] == "fulfilled"


def test_without_a_terminal_nobody_is_shown_a_bar(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """A script gets its answer when there is one."""
    slow = running.office.outside.slow
    assert slow is not None
    slow.set()
    case = running.receive().case_id
    for person in ("ada", "bea"):
        desk(running, person, "approve", case, "d1", "--json")

    assert capsys.readouterr().err == ""
