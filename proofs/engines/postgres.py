"""A PostgreSQL server of one's own: real, on a Unix socket in a temporary folder, and gone afterwards.

`postgres` refuses to run as root; there it runs as `nobody`.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.migrate import migrate

#: That a database is copied from which a test gets.
TEMPLATE: Final = "migrated"
_SETTINGS: Final = {"listen_addresses": "", "max_connections": "200", "log_min_messages": "fatal"}
#: For tests that end processes and cut no power.
UNSAFE: Final = {"fsync": "off", "full_page_writes": "off", "autovacuum_naptime": "5s"}


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return folders[-1].parent if folders else None


@dataclass
class Server:
    """A running server. `folder` holds its data and its socket."""

    folder: Path
    programs: Path
    settings: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def user(self) -> dict[str, Any]:
        """As whom its programs are started, and by what environment."""
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        if os.geteuid():
            return {"env": environment}
        nobody = pwd.getpwnam("nobody")
        return {"env": environment, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def create(self) -> None:
        """Make its data."""
        if not os.geteuid():
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        options = ["-D", str(self.folder / "data"), "-U", "owner", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(
            [str(self.programs / "initdb"), *options], check=True, capture_output=True, cwd=self.folder, **self.user
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *words]
        with (self.folder / "log").open("ab") as log:
            # A Ctrl-C is for whoever started this: it is stopped when that is done.
            self.process = process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self.user
            )
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(psycopg.OperationalError), self.connect("postgres"):
                return
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"postgres did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it; SIGINT is its fast way."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def kill(self) -> None:
        """End all of it at once, as a machine that stops would. Does nothing when it does not run."""
        if self.process is None:
            return
        doomed = [self.process.pid, *(self.children() if self.process.poll() is None else ())]
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        while any(map(_lives, doomed)):  # they have shared memory that the next one wants
            time.sleep(0.005)

    def cpu(self) -> float:
        """Seconds of processor time that it has spent so far, for whomever."""
        ticks = 0
        for process in (self.process.pid, *self.children()) if self.process is not None else ():
            with contextlib.suppress(OSError):  # one that has ended meanwhile
                fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))  # its own, and of its children that have ended
        return ticks / os.sysconf("SC_CLK_TCK")

    def children(self) -> list[int]:
        """The processes that work for it: one for each connection, and some for all."""
        pid = self.process.pid if self.process is not None else 0
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def url(self, database: str, user: str = "owner") -> str:
        """The address of one of its databases."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def connect(self, database: str) -> "psycopg.Connection[Any]":
        """A connection of its owner's."""
        return psycopg.connect(self.url(database), autocommit=True)

    def new_database(self, template: str = TEMPLATE) -> str:
        """Make a database with the schema in it; returns its address."""
        name = f"t{uuid.uuid4().hex}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Throw a database away, whoever uses it."""
        name = Address.parse(url).parameters["dbname"]
        with self.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def prepare(folder: Path, settings: Mapping[str, str] | None = None) -> Server:
    """A server in `folder`, which must exist, with a database `migrated` that has the schema; it runs.

    Raises `FileNotFoundError`: PostgreSQL is not installed.
    """
    found = programs()
    if found is None:
        raise FileNotFoundError("PostgreSQL's programs are not installed: the package `postgresql` has them")
    folder.chmod(0o755)
    running = Server(folder, found, {**_SETTINGS, **(settings or {})})
    running.create()
    running.start()
    try:
        with running.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(Address.parse(running.url(TEMPLATE)))
    except BaseException:
        running.stop()
        raise
    return running


@contextlib.contextmanager
def server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server, with a database `migrated` that has the schema. `settings` besides PostgreSQL's own."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        running = prepare(Path(folder), settings)
        try:
            yield running
        finally:
            running.stop()
