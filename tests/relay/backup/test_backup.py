"""Backups (`relay/backup`): of one moment, whole or not there, without what was deleted; and put back."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from blindrelay.protocol import rpc
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay import backup as backups
from blindrelay.relay.backup.manifest import FILE_NAME, Manifest
from blindrelay.relay.backup.snapshot import copy, frozen
from blindrelay.relay.errors import BackupRejected, NewerVersion, TargetNotEmpty, Unreadable
from blindrelay.relay.server import Relay
from support import site
from support.site import connected
from support.tenants import Badge, Tenant
from support.wire import Client


def taken(relay: Relay, target: Path) -> Manifest:
    """A backup of a relay that runs."""
    return backups.take(relay.settings.data_dir, target, SystemClock())


async def inbox(relay: Relay, badge: Badge) -> list[bytes]:
    """What waits for a device, in order."""
    async with connected(relay, badge) as client:
        await client.open_inbox()
        found = []
        while relay.accounts.waiting()[0]:
            found.append((await client.receive()).payload)
            await client.catch_up()
        return found


@pytest.fixture
def alice(acme: Tenant) -> Badge:
    return acme.device("alice", "laptop")


@pytest.fixture
def bob(acme: Tenant) -> Badge:
    return acme.device("bob", "phone")


async def test_what_was_acknowledged_is_there_again(relay: Relay, alice: Badge, bob: Badge, tmp_path: Path) -> None:
    """Tenants, devices and mail of the moment of the backup, on a relay that is the same one: certificate, code, logs."""
    async with connected(relay, bob), connected(relay, alice) as sender:
        for number in range(5):
            await sender.publish(bob.device, bytes([number]) * 1_024)
        manifest = await asyncio.to_thread(taken, relay, tmp_path / "backup")
        await sender.publish(bob.device, b"\xff" * 1_024)
    assert (manifest.tenants, manifest.devices, manifest.waiting) == (1, 2, 5)
    verified = await asyncio.to_thread(backups.verify, tmp_path / "backup")
    assert verified == manifest
    await asyncio.to_thread(backups.restore, tmp_path / "backup", tmp_path / "again", manifest)

    async with site.relay_in(tmp_path / "again") as again:
        assert again.certificate.read_bytes() == relay.certificate.read_bytes()
        assert again.registration_code == relay.registration_code
        assert await inbox(again, bob) == [bytes([number]) * 1_024 for number in range(5)]
        assert again.directory_log.log.published.checkpoint.size >= manifest.logs["directory"].entries


async def test_everything_is_for_its_owner_alone(relay: Relay, acme: Tenant, tmp_path: Path) -> None:
    """Whatever the umask says: folders 0700, files 0600, in the backup and in what is made of it."""
    before = os.umask(0o022)
    try:
        manifest = taken(relay, tmp_path / "deep" / "backup")
        backups.restore(tmp_path / "deep" / "backup", tmp_path / "again", manifest)
    finally:
        os.umask(before)
    for folder in (tmp_path / "deep" / "backup", tmp_path / "again"):
        everything = [folder, *folder.rglob("*")]
        assert {path.stat().st_mode & 0o777 for path in everything if path.is_dir()} == {0o700}
        assert {path.stat().st_mode & 0o777 for path in everything if path.is_file()} == {0o600}


async def test_what_was_deleted_is_not_in_it(relay: Relay, alice: Badge, bob: Badge, tmp_path: Path) -> None:
    """Delivered mail is in no byte of a backup, though its pages may still be in the WAL of the database."""
    secret = os.urandom(64)
    async with connected(relay, bob) as recipient, connected(relay, alice) as sender:
        await recipient.open_inbox()
        await sender.publish(bob.device, secret * 1_024)
        await recipient.receive()
        await recipient.catch_up()
        await relay.committer.run(lambda _: None)
        await asyncio.to_thread(taken, relay, tmp_path / "backup")
    for path in (tmp_path / "backup").rglob("*"):
        assert path.is_dir() or secret not in path.read_bytes(), path
    assert not [path.name for path in (tmp_path / "backup").iterdir() if path.name.startswith(".")]


async def test_databases_are_of_one_moment(tmp_path: Path) -> None:
    """Somebody writes to two databases in turn, without a pause: what a snapshot sees of them is never more than one apart."""
    paths = [tmp_path / "a.db", tmp_path / "b.db"]
    for path in paths:
        with closing(sqlite3.connect(path)) as database:
            database.executescript("PRAGMA journal_mode = WAL; CREATE TABLE n (n INTEGER)")

    def write(over: "asyncio.Event") -> None:
        databases = [sqlite3.connect(path, isolation_level=None, timeout=30) for path in paths]
        number = 0
        while not over.is_set():
            for database in databases:
                database.execute("INSERT INTO n VALUES (?)", (number,))
            number += 1
        for database in databases:
            database.close()

    over = asyncio.Event()
    writing = asyncio.create_task(asyncio.to_thread(write, over))
    try:
        for round_ in range(20):
            seen = await asyncio.to_thread(_counts, paths, tmp_path / f"copy-{round_}")
            assert seen[0] - seen[1] in {0, 1}
    finally:
        over.set()
        await writing


def _counts(paths: list[Path], target: Path) -> list[int]:
    target.mkdir()
    with frozen(paths) as readers:
        for path, reader in zip(paths, readers, strict=True):
            copy(reader, target / path.name, lambda *_: None)
    found = []
    for path in paths:
        with closing(sqlite3.connect(target / path.name)) as database:
            found.append(int(database.execute("SELECT count(*) FROM n").fetchone()[0]))
    return found


async def test_one_time_prekeys_do_not_come_back(relay: Relay, alice: Badge, tmp_path: Path) -> None:
    """Some of them have been handed out since: nobody is given one twice. The fallback key stays."""

    def add(connection: object) -> None:
        for number, fallback in ((1, False), (2, False), (3, True)):
            connection.exec_driver_sql(  # type: ignore[attr-defined]
                "INSERT INTO prekey (account_id, is_fallback, body, signature) VALUES (1, ?, ?, x'00')",
                (fallback, bytes([number])),
            )

    async with connected(relay, alice):
        await relay.committer.run(add)
    manifest = await asyncio.to_thread(taken, relay, tmp_path / "backup")
    await asyncio.to_thread(backups.restore, tmp_path / "backup", tmp_path / "again", manifest)
    with closing(sqlite3.connect(tmp_path / "again" / "relay.db")) as database:
        assert database.execute("SELECT body FROM prekey").fetchall() == [(b"\x03",)]


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup that nobody has altered yet."""
    made = tmp_path / "backup"

    async def make() -> None:
        async with site.relay_in(tmp_path / "relay") as relay:
            await site.register(relay, Tenant("acme.example", tmp_path))
            await relay.directory_log.log.publish()
            await asyncio.to_thread(taken, relay, made)

    asyncio.run(make())
    return made


def _alter(name: str) -> Callable[[Path], None]:
    def alter(backup: Path) -> None:
        data = bytearray((backup / name).read_bytes())
        data[len(data) // 2] ^= 1
        (backup / name).write_bytes(data)

    return alter


def _edit(**changes: object) -> Callable[[Path], None]:
    def edit(backup: Path) -> None:
        found = json.loads((backup / FILE_NAME).read_text())
        (backup / FILE_NAME).write_text(json.dumps({**found, **changes}))

    return edit


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (_alter("relay.db"), BackupRejected, "relay.db is not what the manifest says"),
        (_alter("relay.key"), BackupRejected, "relay.key is not what the manifest says"),
        (lambda backup: (backup / "registration-code").unlink(), BackupRejected, "registration-code is missing"),
        (lambda backup: (backup / "extra").write_text("x"), BackupRejected, "extra is not in the manifest"),
        (lambda backup: (backup / FILE_NAME).unlink(), BackupRejected, "cannot be read"),
        (lambda backup: (backup / FILE_NAME).write_text("{}"), BackupRejected, "is no manifest"),
        (_edit(format="blindrelay-backup-2"), BackupRejected, "is no manifest"),
        (_edit(schema_revision="9999"), NewerVersion, "9999"),
        (_edit(files={}), BackupRejected, "is not in the manifest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_backup_that_was_altered_is_rejected(
    backup: Path, spoil: Callable[[Path], None], error: type[Exception], words: str
) -> None:
    """By the name of the file that is not what it was."""
    spoil(backup)
    with pytest.raises(error, match=words):
        backups.verify(backup)


def test_a_link_in_a_backup_is_not_followed(backup: Path, tmp_path: Path) -> None:
    """Whoever puts a backup back does not copy a file of their own into it."""
    (tmp_path / "elsewhere").write_bytes((backup / "relay.key").read_bytes())
    (backup / "relay.key").unlink()
    (backup / "relay.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackupRejected, match=r"relay\.key"):
        backups.verify(backup)


def test_nothing_is_overwritten(backup: Path, tmp_path: Path) -> None:
    """Neither by a backup nor by what is put back: what is there stays as it is."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    manifest = backups.verify(backup)
    for target in (tmp_path / "full", backup / "relay.db", tmp_path / "relay"):
        with pytest.raises(TargetNotEmpty):
            backups.restore(backup, target, manifest)
        with pytest.raises(TargetNotEmpty):
            backups.take(tmp_path / "relay", target, SystemClock())
    assert (tmp_path / "full" / "file").read_text() == "mine"


def test_an_empty_folder_may_be_used(backup: Path, tmp_path: Path) -> None:
    """A volume that has just been made."""
    (tmp_path / "empty").mkdir()
    backups.restore(backup, tmp_path / "empty", backups.verify(backup))
    assert (tmp_path / "empty" / "relay.db").exists()


def test_an_interruption_leaves_nothing(backup: Path, tmp_path: Path) -> None:
    """Ctrl-C, in a backup or while one is put back: no folder, no partial one, and the next attempt works."""

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    before = sorted(path.name for path in tmp_path.iterdir())
    manifest = backups.verify(backup)
    with pytest.raises(KeyboardInterrupt):
        backups.take(tmp_path / "relay", tmp_path / "new", SystemClock(), told=interrupt)
    with pytest.raises(KeyboardInterrupt):
        backups.restore(backup, tmp_path / "new", manifest, told=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    backups.restore(backup, tmp_path / "new", manifest)


def test_what_is_no_relay_is_not_backed_up(tmp_path: Path) -> None:
    """A wrong folder is named, and nothing is made."""
    with pytest.raises(Unreadable, match=r"expected relay\.db"):
        backups.take(tmp_path, tmp_path / "backup", SystemClock())
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_log_makes_no_backup(backup: Path, tmp_path: Path) -> None:
    """What could not be put back is not kept as if it could."""
    (tile,) = (tmp_path / "relay" / "logs" / "directory" / "tile" / "0").rglob("*.p/*")
    tile.write_bytes(bytes(32))
    with pytest.raises(Unreadable, match="would be no backup"):
        backups.take(tmp_path / "relay", tmp_path / "new", SystemClock())
    assert not (tmp_path / "new").exists()


async def test_a_relay_serves_while_it_is_backed_up(relay: Relay, alice: Badge, bob: Badge, tmp_path: Path) -> None:
    """Messages are accepted meanwhile, one after the other, and each backup is whole."""
    async with connected(relay, bob), connected(relay, alice) as sender:
        over = asyncio.Event()

        async def send() -> int:
            count = 0
            while not over.is_set():
                assert (await sender.publish(bob.device)).reason_code == 0
                count += 1
            return count

        sending = asyncio.create_task(send())
        seen = [(await asyncio.to_thread(taken, relay, tmp_path / f"backup-{n}")).waiting for n in range(3)]
        over.set()
        count = await sending
    assert sorted(seen) == seen
    assert 0 < seen[-1] <= count
    for n in range(3):
        await asyncio.to_thread(backups.verify, tmp_path / f"backup-{n}")


async def test_a_restored_relay_registers_tenants(backup: Path, tmp_path: Path) -> None:
    """It goes on where the backup was: numbers, logs and all."""
    await asyncio.to_thread(backups.restore, backup, tmp_path / "again", backups.verify(backup))
    async with site.relay_in(tmp_path / "again") as again:
        globex = await site.register(again, Tenant("globex.example", tmp_path))
        async with Client(again, globex.device("bob", "phone")) as client:
            assert (await client.connect()).reason_code == 0
            entry = await client.call(rpc.LOOK_UP_TENANT, rpc.LookUpTenant(tenant="acme.example"))
        assert entry.tenant == "acme.example"
        assert await again.directory_log.log.publish()
        assert again.directory_log.log.published.checkpoint.size == 2
