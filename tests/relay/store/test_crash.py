"""What survives when the process dies: killed at random, killed at every sync, syncs and writes that fail.

Bug classes R1, R7, R8; invariants I1 (for the store alone), I8, I9 of the chaos harness.
"""

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from blindrelay.relay.store.sqlite import SqliteStore
from support.store_writer import PER_ROUND, batch, removed

ROUNDS = 8
TESTS = Path(__file__).parents[2]
# Syncs of one scripted run; measured by the test that counts them.
SYNC_CALLS = "fdatasync,fsync"


def command(database: Path, rounds: int, reserve: int = 0) -> list[str]:
    return [sys.executable, "-m", "support.store_writer", str(database), str(reserve), str(rounds)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}", "PYTHONDONTWRITEBYTECODE": "1"}


def traced(database: Path, *inject: str, rounds: int = ROUNDS) -> subprocess.CompletedProcess[str]:
    """Run the writer under strace with faults; `-P` keeps them to the database's files."""
    files = [word for name in ("", "-wal") for word in ("-P", f"{database}{name}")]
    options = [word for rule in inject for word in ("-e", f"inject={rule}")]
    return subprocess.run(
        ["strace", "-f", "-q", "-e", f"trace={SYNC_CALLS},pwrite64", *files, *options, *command(database, rounds)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
        check=False,
    )


def reported(output: str, word: str = "committed") -> list[int]:
    return [int(line.split()[1]) for line in output.splitlines() if line.startswith(f"{word} ")]


def check(database: Path, committed: list[int], started: int) -> None:
    """What was reported is there, each batch is there as a whole or not at all, no more than one unreported one is there."""
    store = SqliteStore.open(database, reserve_bytes=0)
    present = {(m, found.sequence): found.payload for m in (1, 2) for found in store.fetch(m, 0, 10_000, 1 << 30)}
    with store.reader() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        recorded = connection.exec_driver_sql("SELECT message_id FROM traffic ORDER BY id").scalars().all()
        ring = connection.exec_driver_sql("SELECT message_id FROM recent_id ORDER BY slot").scalars().all()
    store.close()
    for stored in range(len(committed), started + 1):
        expected = {(e.mailbox_id, e.sequence): e.payload for number in range(1, stored + 1) for e in batch(number)}
        for number in range(1, stored + 1):
            for key in removed(number):
                del expected[key]
        if expected == present:
            break
    else:
        raise AssertionError(f"{len(committed)} batches were reported, and what is there is no number of whole batches")
    ids = [sequence.to_bytes(16, "big") for sequence in range(PER_ROUND, (stored + 1) * PER_ROUND)]
    assert recorded == ids
    assert sorted(ring) == ids[-64:]


def test_scripted_run_is_whole(tmp_path: Path) -> None:
    """Without a fault, everything is there: the check itself works."""
    ran = subprocess.run(
        command(tmp_path / "relay.db", ROUNDS), capture_output=True, text=True, env=environment(), check=True
    )

    assert reported(ran.stdout) == list(range(1, ROUNDS + 1))
    check(tmp_path / "relay.db", reported(ran.stdout), ROUNDS)


def test_check_notices_a_lost_batch(tmp_path: Path) -> None:
    """A store that has less than was reported does not pass."""
    store = SqliteStore.open(tmp_path / "relay.db", reserve_bytes=0)
    store.commit(batch(1), [])
    store.close()

    with pytest.raises(AssertionError, match="no number of whole batches"):
        check(tmp_path / "relay.db", [1, 2], 2)


@pytest.mark.parametrize("seed", range(6))
def test_kill_at_a_random_moment(tmp_path: Path, seed: int) -> None:
    """`kill -9` at a random line of the report: what it reported is there, and every batch is whole."""
    rounds, lines = 400, random.Random(seed).randrange(2, 200)
    with subprocess.Popen(
        command(tmp_path / "relay.db", rounds), stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        head = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        output = "".join(head) + process.stdout.read()

    committed = reported(output)
    check(tmp_path / "relay.db", committed, len(committed) + 1)


@pytest.mark.needs("strace")
def test_kill_at_every_sync(tmp_path: Path) -> None:
    """Killed at the first, second, third ... sync of a scripted run: at each boundary, what was reported is there."""
    for when in range(1, 200):
        folder = tmp_path / str(when)
        folder.mkdir()
        ran = traced(folder / "relay.db", f"{SYNC_CALLS}:signal=KILL:when={when}")
        committed = reported(ran.stdout)
        if "open" in ran.stdout or (folder / "relay.db").stat().st_size:
            check(folder / "relay.db", committed, len(committed) + 1)
        shutil.rmtree(folder)
        if ran.returncode == 0:
            break
    assert ran.returncode == 0, "the script has fewer syncs than that"
    assert when > ROUNDS, "every commit is synced"


@pytest.mark.needs("strace")
@pytest.mark.parametrize(("call", "moments"), [(SYNC_CALLS, (3, 4, 5, 7, 8, 9)), ("pwrite64", (45, 60, 81, 110, 140))])
def test_io_error_stops_the_writer(tmp_path: Path, call: str, moments: tuple[int, ...]) -> None:
    """One sync or write that fails with EIO is final; what was reported before is there after a restart: R7."""
    outcomes = set()
    for when in moments:
        folder = tmp_path / str(when)
        folder.mkdir()
        ran = traced(folder / "relay.db", f"{call}:error=EIO:when={when}")
        committed = reported(ran.stdout)
        outcomes.add(ran.returncode)
        if "open" in ran.stdout:
            assert ran.returncode == 3, ran.stderr[-2_000:]
            check(folder / "relay.db", committed, len(committed) + 1)
    assert 3 in outcomes, "the fault met a commit"


@pytest.mark.needs("strace")
def test_full_disk_is_no_failure(tmp_path: Path) -> None:
    """ENOSPC from a write refuses that batch alone; later ones are taken, and nothing that was reported is lost."""
    counted = traced(tmp_path / "count.db", rounds=2)
    first = len(re.findall(r"pwrite64\(", counted.stderr.split("open")[0])) // 2
    seen = False
    for when in range(first, first + 12):
        folder = tmp_path / str(when)
        folder.mkdir()
        ran = traced(folder / "relay.db", f"pwrite64:error=ENOSPC:when={when}..{when + 1}")
        committed, full = reported(ran.stdout), reported(ran.stdout, "full")
        if "open" not in ran.stdout:
            continue
        assert ran.returncode == 0, ran.stderr[-2_000:]
        assert sorted(committed + full) == list(range(1, ROUNDS + 1))
        with sqlite3.connect(folder / "relay.db") as connection:
            count = connection.execute("SELECT count(*) FROM traffic").fetchone()[0]
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        connection.close()
        assert count == PER_ROUND * len(committed)
        seen |= bool(full)
    assert seen, "the fault met a commit"
