"""The doctor (`relay/doctor`): each check is seen well and not well."""

import asyncio
import os
import resource
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey
from blindrelay.relay import doctor
from blindrelay.relay.config import Settings
from blindrelay.relay.doctor import CHECKS, Finding, Grade, Patient
from support import site
from support.party import HandClock

Look = Callable[..., list[Finding]]


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """The data directory of a relay that has run."""
    async with site.relay_in(tmp_path / "relay", desk={"enabled": True}):
        pass
    return tmp_path / "relay"


@pytest.fixture
def look(data: Path) -> Look:
    """Carry out one check, some time from now."""

    def call(check: str, *, days: float = 0.0, endpoint: Endpoint | None = None, **settings: Any) -> list[Finding]:
        values = {"data_dir": data, "port": 0, **settings}
        clock = HandClock(time.time() + days * 86_400)
        return list(CHECKS[check](Patient(Settings.model_validate(values), clock, endpoint)))

    return call


def grades(findings: list[Finding]) -> set[Grade]:
    return {finding.grade for finding in findings}


def test_a_relay_that_is_well_is_told_so(data: Path) -> None:
    """Nothing is wrong with a relay that has just been stopped; what there is to do comes with a sentence."""
    found = list(doctor.examine(Patient(Settings(data_dir=data, port=0), HandClock(time.time()))))
    assert {name for name, _ in found} == set(CHECKS) - {"logs"}  # it has no witnesses
    assert Grade.WRONG not in {finding.grade for _, finding in found}
    assert all(finding.advice for _, finding in found if finding.grade is not Grade.WELL)


def test_files_that_others_may_read_are_wrong(data: Path, look: Look) -> None:
    """A key that others may read is named."""
    assert grades(look("permissions")) == {Grade.WELL}
    (data / "relay.key").chmod(0o644)
    (finding,) = look("permissions")
    assert finding.grade is Grade.WRONG
    assert "relay.key" in finding.found
    assert "chmod" in finding.advice


@pytest.mark.parametrize(("free", "grade"), [(1 << 40, Grade.WELL), (1 << 29, Grade.WATCH), (1 << 20, Grade.WRONG)])
def test_a_full_disk_is_noticed_before_it_is(
    look: Look, monkeypatch: pytest.MonkeyPatch, free: int, grade: Grade
) -> None:
    """By what is free, to whoever is not root."""
    disk = SimpleNamespace(f_bavail=free // 4_096, f_frsize=4_096, f_blocks=(1 << 41) // 4_096)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    assert grades(look("disk")) == {grade}


def test_a_clock_that_went_back_is_noticed(data: Path, look: Look) -> None:
    """A record from the future is one of a clock that was ahead, or of this one being late."""
    assert grades(look("clock")) == {Grade.WELL}
    with closing(sqlite3.connect(data / "relay.db")) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(traffic)")]
        values = {"message_id": bytes(16), "recipient_id": 1, "accepted_at": int(time.time()) + 3_600, "size": 1_024}
        names = [name for name in columns if name in values]
        marks = ", ".join("?" for _ in names)
        database.execute(f"INSERT INTO traffic ({', '.join(names)}) VALUES ({marks})", [values[name] for name in names])
    assert grades(look("clock")) == {Grade.WRONG}


@pytest.mark.parametrize(("days", "expected"), [(0, {Grade.WELL}), (3_600, {Grade.WATCH}), (3_700, {Grade.WRONG})])
def test_a_certificate_that_expires_is_noticed_in_time(look: Look, days: float, expected: set[Grade]) -> None:
    """The relay's and the desk's: those who trust them have to be told."""
    assert grades(look("certificates", days=days)) == expected
    assert len(look("certificates")) == 2


def test_ports_of_a_relay_that_does_not_run_are_looked_for(look: Look) -> None:
    """Somebody else who has one is named by the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = look("ports", port=port, desk={"https_port": 0}, logs={"https_port": 0})
    assert [finding.grade for finding in found] == [Grade.WRONG, Grade.WATCH]
    assert str(port) in found[0].found


async def test_ports_of_a_relay_that_runs_are_met(tmp_path: Path) -> None:
    """Each in TLS; one that does not answer is wrong."""
    async with site.relay_in(tmp_path) as relay:
        endpoint = Endpoint(host="127.0.0.1", port=relay.port, ca_certificate="relay.crt", logs_port=relay.logs_port)
        endpoint.write(tmp_path / FILE_NAME)
        patient = Patient.find(relay.settings, HandClock(time.time()))
        assert patient.endpoint == endpoint
        found = await asyncio.to_thread(lambda: list(CHECKS["ports"](patient)))
        assert [finding.grade for finding in found] == [Grade.WELL, Grade.WELL]
    gone = list(CHECKS["ports"](patient))
    assert [finding.grade for finding in gone] == [Grade.WRONG, Grade.WRONG]


def test_too_few_open_files_are_noticed(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is a file."""
    for hard, grade in ((1_024, Grade.WATCH), (1_000_000, Grade.WELL), (resource.RLIM_INFINITY, Grade.WELL)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, hard=hard: (hard, hard))
        assert grades(look("open files")) == {grade}


def test_a_store_of_another_release_is_noticed(data: Path, look: Look) -> None:
    """A newer one cannot be read; an older one is upgraded."""
    assert grades(look("store")) == {Grade.WELL}
    for revision, grade in (("9999", Grade.WRONG), ("0000", Grade.WATCH)):
        with closing(sqlite3.connect(data / "relay.db")) as database, database:
            database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        assert grade in grades(look("store"))


def test_a_store_that_has_been_moved_is_wrong_here(data: Path, look: Look) -> None:
    """Whoever starts the relay without --store is told; with it all is well."""
    (data / "moved-to").write_text("postgresql://db.example/blindrelay\n")
    (finding,) = look("store")
    assert finding.grade is Grade.WRONG
    assert "has been moved to postgresql://db.example/blindrelay" in finding.found
    assert Grade.WRONG not in grades(look("store", store="postgresql://db.example/blindrelay"))


def test_a_wal_that_is_not_emptied_is_noticed(data: Path, look: Look) -> None:
    """Somebody who reads for long keeps what is deleted from being erased."""
    with (data / "relay.db-wal").open("wb") as wal:
        wal.truncate(1 << 30)
    (finding,) = [finding for finding in look("store") if "WAL" in finding.found]
    assert finding.grade is Grade.WATCH


def test_a_store_elsewhere_is_not_ours_to_judge(look: Look) -> None:
    """PostgreSQL has tools of its own."""
    (finding,) = look("store", store="postgresql://relay@db.example/blindrelay")
    assert finding.grade is Grade.UNKNOWN
    assert look("backup", store="postgresql://relay@db.example/blindrelay") == []


def test_a_log_that_nobody_cosigns_is_wrong(data: Path, look: Look) -> None:
    """Its policy names a witness, and what is shown has no cosignature of theirs."""
    assert look("logs") == []
    policy = data / "logs" / "directory.policy"
    key = SigningKey.generate("witness.example/w", Algorithm.COSIGNATURE).verifier
    policy.write_text(policy.read_text().replace("quorum none", f"witness w {key} http://127.0.0.1:1/\nquorum w"))
    (finding,) = look("logs")
    assert finding.grade is Grade.WRONG
    assert "directory" in finding.found


@pytest.mark.parametrize(("days", "grade"), [(1, Grade.WELL), (30, Grade.WATCH)])
def test_an_old_backup_is_noticed(data: Path, look: Look, days: int, grade: Grade) -> None:
    """None is to be watched, and so is one of last month."""
    assert grades(look("backup")) == {Grade.WATCH}
    (data / "last-backup").write_text("2026-01-01T00:00:00+00:00\n")
    taken = 1_767_225_600.0  # that moment
    patient = Patient(Settings(data_dir=data), HandClock(taken + days * 86_400))
    assert grades(list(CHECKS["backup"](patient))) == {grade}


def test_a_check_that_cannot_look_says_so(data: Path) -> None:
    """A damaged file of one check does not keep the others from looking."""
    (data / "relay.crt").write_text("no certificate")
    (data / "relay.db").write_bytes(b"no database" * 1_000)
    found = list(doctor.examine(Patient(Settings(data_dir=data, port=0), HandClock(time.time()))))
    assert {name for name, finding in found if finding.grade is Grade.UNKNOWN} >= {"certificates", "store"}
    assert "permissions" in {name for name, finding in found if finding.grade is Grade.WELL}
