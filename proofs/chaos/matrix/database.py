"""The database of a run: a real PostgreSQL server on a folder of its own, perhaps on a small disk that can be filled."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psycopg

from blindrelay.proofs.chaos.history import StoreView
from blindrelay.proofs.engines import postgres
from blindrelay.protocol.errors import BlindrelayError

#: As whom nodes connect: a login that may do what the role `blindrelay_relay` may, as in a deployment.
NODE: Final = "node"
# As PostgreSQL comes, apart from sizes: a small disk is full sooner, and nothing here takes gigabytes.
_SETTINGS: Final = {
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "shared_buffers": "32MB",
    "autovacuum_naptime": "5s",
}
# Data and journal as they are in the beginning take a third of it. As `mount` has it.
_SMALL_DISK: Final = "160m"
_BLOCK: Final = 1_048_576
# A recovery that succeeds takes less, for there is little to recover. Seconds.
_HEALTHY_WITHIN: Final = 2.0


class NotPossibleHere(BlindrelayError):
    """This machine does not have, or does not permit, what the fault needs."""


def template(folder: Path) -> postgres.Server:
    """A server with the schema and the login in it, stopped: to be copied for each run. `folder` must exist.

    Raises `NotPossibleHere`: PostgreSQL is not installed.
    """
    folder.chmod(0o755)  # for whom PostgreSQL runs as
    try:
        running = postgres.prepare(folder, _SETTINGS)
    except FileNotFoundError as error:
        raise NotPossibleHere(str(error)) from error
    try:
        with running.connect(postgres.TEMPLATE) as connection:
            connection.execute(f"CREATE ROLE {NODE} LOGIN IN ROLE blindrelay_relay")
    finally:
        running.stop()
    return running


class Database:
    """A copy of the template, and what can be done to it. Use `Database.start`; `stop` when done."""

    def __init__(self, server: postgres.Server) -> None:
        self._server = server
        self._filler = server.folder / "data" / "filler"

    @classmethod
    def copied(cls, origin: postgres.Server, folder: Path) -> "Database":
        """In `folder`, which is made."""
        folder.mkdir(mode=0o755, exist_ok=True)
        shutil.copytree(origin.folder / "data", folder / "data")
        owner = (origin.folder / "data").stat()
        for place in (folder, *folder.rglob("*")):
            os.chown(place, owner.st_uid, owner.st_gid)
        return cls(postgres.Server(folder, origin.programs, dict(origin.settings)))

    @property
    def socket(self) -> Path:
        """Where it is asked."""
        return self._server.folder / ".s.PGSQL.5432"

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._server.process is not None and self._server.process.poll() is None

    def url(self, port: int | None) -> str:
        """Where a node finds it, through something that listens on the loopback's `port`; None: with nothing between."""
        if port is None:
            return self._server.url(postgres.TEMPLATE, NODE)
        return f"postgresql://{NODE}@127.0.0.1:{port}/{postgres.TEMPLATE}?sslmode=disable&gssencmode=disable"

    async def start(self) -> None:
        """See that it answers, as a supervisor that asks for its health would: one that runs and does not is killed first.

        After a crash that it cannot recover from it takes five seconds to find that out and leave.
        """
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        deadline = time.monotonic() + _HEALTHY_WITHIN
        while self.runs:
            with contextlib.suppress(psycopg.OperationalError), self._server.connect("postgres"):
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self._server.kill()
        self._server.start()

    async def kill(self) -> None:
        """`kill -9` to all of its processes."""
        await asyncio.to_thread(self._server.kill)

    async def stop(self) -> None:
        """As an operator would."""
        await asyncio.to_thread(self._server.stop, signal.SIGINT)

    def leave_log(self, path: Path) -> None:
        """Copy what it logged to `path`."""
        with contextlib.suppress(OSError):
            shutil.copyfile(self._server.folder / "log", path)

    def processes(self) -> list[int]:
        """All of it."""
        return [self._server.process.pid, *self._server.children()] if self._server.process is not None else []

    # A disk that is full.

    def fill(self) -> None:
        """Leave no byte of its disk."""
        size = _BLOCK
        with self._filler.open("ab", buffering=0) as file:
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def empty(self) -> None:
        """Leave room again."""
        self._filler.unlink(missing_ok=True)

    # What it holds in the end.

    def examine(self) -> StoreView:
        """Read it, by statements of our own, as its owner; it runs. `pg_amcheck` looks at its pages where that is installed."""
        with self._server.connect(postgres.TEMPLATE) as connection:
            envelopes = connection.execute("SELECT message_id FROM envelope").fetchall()
            traffic = connection.execute("SELECT message_id FROM traffic").fetchall()
        return StoreView(
            frozenset(bytes(row[0]).hex() for row in envelopes),
            Counter(bytes(row[0]).hex() for row in traffic),
            tuple(self._damage()),
        )

    def _damage(self) -> list[str]:
        check = self._server.programs / "pg_amcheck"
        if not check.exists():
            return []
        options = ["--install-missing", "--heapallindexed", "-h", str(self._server.folder), "-U", "owner"]
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own
            [str(check), *options, postgres.TEMPLATE], capture_output=True, text=True, check=False
        )
        return (
            [line for line in (*done.stdout.splitlines(), *done.stderr.splitlines()) if line] if done.returncode else []
        )


@contextlib.contextmanager
def small_disk(size: str = _SMALL_DISK) -> Iterator[Path]:
    """A folder on a file system of its own that is soon full: a tmpfs of `size`, as `mount` has it.

    Raises `NotPossibleHere`: nothing may be mounted here.
    """
    with TemporaryDirectory(prefix="blindrelay-disk-") as folder:
        mount = shutil.which("mount"), shutil.which("umount")
        if None in mount:
            raise NotPossibleHere("there is no mount on this machine: a small disk cannot be made")
        options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        done = subprocess.run([str(mount[0]), *options], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise NotPossibleHere(f"a small disk cannot be mounted here, for that needs root: {done.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run([str(mount[1]), "--lazy", folder], check=False)  # noqa: S603
