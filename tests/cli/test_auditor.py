"""`blindrelay auditor check`: a relay that runs as a process, audited by somebody who has nothing but what it shows to all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blindrelay.cli.exit_codes import ExitCode
from support.altered import flipped
from support.commands import Ran
from support.court import Run, released

PERIOD = ("--from", "-2d", "--to", "+2d")


@pytest.fixture
def audited(relay: Path, blindrelay: Run) -> Run:
    """`audited("--package", ...)` checks the module's relay."""
    return lambda *arguments: blindrelay("auditor", "check", *PERIOD, "--relay", relay, *arguments)


@pytest.fixture
def package(court: Run, relay: Path, client: Callable[..., Ran]) -> Path:
    """A package that was handed over, with its receipt beside it."""
    assert client("alice/laptop", "send", "bob@acme.example", "meet me at noon").code == 0
    released(court, relay)
    return Path(json.loads(court("open", "--json").out)["package"])


def finding(ran: Ran, check: str) -> dict[str, Any]:
    """What came of one check."""
    found: list[dict[str, Any]] = json.loads(ran.out)["findings"]
    return next(each for each in found if each["check"] == check)


@pytest.fixture
def publish(relay: Path, blindrelay: Run, tmp_path: Path) -> Callable[..., Path]:
    """The report that the operator publishes, with changes."""

    def make(**changes: object) -> Path:
        path = tmp_path / "report.json"
        period = ("--from", "2026-01-01", "--to", "2100-01-01")
        assert blindrelay("report", "transparency", *period, "--data-dir", relay, "--out", path).code == 0
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        return path

    return make


def test_everything_holds(audited: Run, package: Path) -> None:
    """Both logs, the accounts, the report that the relay shows, and the package by its receipt."""
    ran = audited("--package", package, "--json")

    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert json.loads(ran.out)["holds"]
    checks = [each["check"] for each in json.loads(ran.out)["findings"]]
    assert checks == ["directory", "lawful-access", "accounts", "report", "package"]
    assert "its case is told of" in finding(ran, "package")["seen"]


def test_it_reads_like_a_report(audited: Run, package: Path) -> None:
    """A line for each check, and a last word."""
    ran = audited("--package", package)
    assert ran.out.splitlines()[-1] == "everything holds", ran.out
    lines = ran.out.splitlines()[:-1]
    assert all(line.startswith("holds ") for line in lines)
    origins = {line.split(" entries of ")[1].partition("/")[0] for line in lines[:2]}
    assert len(origins) == 1, "both logs of a relay have one name"


def test_two_packages_under_one_entry(audited: Run, package: Path) -> None:
    """Another package with the same receipt is not the one that the log has."""
    other = package.with_name("other.package")
    other.write_bytes(flipped(package.read_bytes()))
    other.with_suffix(".receipt.json").write_bytes(package.with_suffix(".receipt.json").read_bytes())

    ran = audited("--package", package, "--package", other, "--json")

    assert ran.code == ExitCode.LOG_REJECTED
    first, second = [each for each in json.loads(ran.out)["findings"] if each["check"] == "package"]
    assert first["holds"]
    assert "this one is not in the log" in second["wrong"][0]


def test_a_receipt_of_the_relays_own_making(audited: Run, package: Path) -> None:
    """A receipt that opens entries which the log has not is found out by the log."""
    path = package.with_suffix(".receipt.json")
    receipt = json.loads(path.read_text())
    receipt["entries"][-1]["index"] = 0
    path.write_text(json.dumps(receipt))

    ran = audited("--package", package, "--json")

    assert ran.code == ExitCode.LOG_REJECTED
    assert "something else at 0" in " ".join(finding(ran, "package")["wrong"])


def test_a_package_without_receipt(audited: Run, package: Path) -> None:
    """Nothing can be said for it, and what is missing is named."""
    package.with_suffix(".receipt.json").unlink()
    ran = audited("--package", package)
    assert ran.code == ExitCode.USAGE
    assert "has no receipt beside it" in ran.err


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"requests": 99}, "requests: the report says 99, the log "),
        ({"instruments": []}, "us/d-order: it is in the log, and not in the report"),
        ({"asked": []}, "us, TRAFFIC: the report says nothing, the log "),
        ({"median_hours": 12.5}, "median_hours: the report says 12.5, the log "),
        (
            {"accounts_disclosed": {"at_least": 700, "at_most": 700}},
            "accounts_disclosed: the report says 700, the log ",
        ),
        (
            {"requests_not_told": {"at_least": 250_000, "at_most": 250_249}},
            "requests_not_told: the report says at least",
        ),
    ],
)
def test_a_report_that_says_something_else(
    audited: Run, package: Path, publish: Callable[..., Path], changes: dict[str, object], complaint: str
) -> None:
    """Each figure is compared; the sentence has both."""
    ran = audited("--report", publish(**changes), "--json")
    assert ran.code == ExitCode.LOG_REJECTED
    assert any(sentence.startswith(complaint) for sentence in finding(ran, "report")["wrong"]), ran.out
    assert package.exists()


def test_the_published_report_holds(audited: Run, package: Path, publish: Callable[..., Path]) -> None:
    """What the operator's command writes is what the log says."""
    ran = audited("--report", publish(), "--json")
    assert ran.code == ExitCode.OK, ran.out
    assert package.exists()


def test_older_checkpoints(audited: Run, relay: Path, package: Path, tmp_path: Path) -> None:
    """One that was kept is continued; one that the log never signed, or of another log, is not taken for one."""
    kept, forged, other = (tmp_path / name for name in ("kept", "forged", "other"))
    note = (relay / "logs" / "lawful-access" / "checkpoint").read_text()
    kept.write_text(note)
    forged.write_text(note.replace("\n", "\n9", 1))
    other.write_text(note.replace("lawful-access", "somebody-elses"))

    ran = audited("--older", kept, "--older", forged, "--older", other, "--json")

    assert ran.code == ExitCode.LOG_REJECTED
    found = [each for each in json.loads(ran.out)["findings"] if each["check"] == "older"]
    assert [each["holds"] for each in found] == [True, False, False]
    assert package.exists()


def test_a_wrong_command_line(blindrelay: Run, relay: Path, tmp_path: Path) -> None:
    """A period that is none, an address without certificate, a relay that is not there."""
    assert blindrelay("auditor", "check", "--from", "now", "--to", "-2d", "--relay", relay).code == ExitCode.USAGE
    without = blindrelay("auditor", "check", *PERIOD, "--relay", "https://127.0.0.1:1")
    assert without.code == ExitCode.USAGE
    assert "--ca" in without.err
    nobody = blindrelay("auditor", "check", *PERIOD, "--relay", "https://127.0.0.1:1", "--ca", relay / "relay.crt")
    assert nobody.code == ExitCode.RELAY_UNREACHABLE
    assert blindrelay("auditor", "check", *PERIOD, "--relay", tmp_path).code == ExitCode.NOT_ENROLLED


def test_a_package_is_verified_alone(blindrelay: Run, relay: Path, package: Path) -> None:
    """By its receipt and the log's policy: the one that was handed over is in the log, another one is not."""
    ours = blindrelay("log", "verify", "--package", package, "--relay", relay)
    assert ours.code == ExitCode.OK, ours.err
    assert "/lawful-access" in ours.out
    package.write_bytes(flipped(package.read_bytes()))
    other = blindrelay("log", "verify", "--package", package, "--relay", relay)
    assert other.code == ExitCode.LOG_REJECTED
    assert "another package" in other.err
