"""Non-interference: pairs of worlds that differ in nothing but what people wrote, with the same chance and on the same clock,
look the same: packages, databases without ciphertext, logs, public logs, sizes and order on the wire, and pauses."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.worlds.script import Way

#: Pairs, in all.
_PAIRS: Final = 200
#: As few as have every way of differing among them.
_QUICK_PAIRS: Final = 6
#: So many processes play them: one more than there are processors, as each waits for its disk now and then.
_PROCESSES: Final = min(8, 1 + (os.cpu_count() or 2))
_REASONS: Final = {
    "package": "package",
    "relay.db": "database",
    "desk.sqlite": "decision",
    "what the authority was told": "decision",
    "the log": "log",
    "public log": "public-log",
    "wire": "wire",
    "pauses": "timing",
}


def examine(evidence: Evidence, report: Report) -> None:
    """Play pairs, in several processes."""
    each = -(-(_QUICK_PAIRS if evidence.quick else _PAIRS) // _PROCESSES)
    running = [_start(1 + number * each, each, evidence.saboteur) for number in range(_PROCESSES)]
    try:
        for process in running:
            for record in _records(process):
                _judge(record, report)
                if evidence.saboteur and record["differences"]:
                    return
    finally:
        for process in running:
            process.kill()
            process.communicate()


def _start(first: int, count: int, saboteur: str) -> "subprocess.Popen[str]":
    arguments = ["--first", str(first), "--count", str(count), "--saboteur", saboteur]
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "blindrelay.proofs.worlds.pairs", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _records(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    assert process.stdout is not None  # noqa: S101 - they are pipes
    assert process.stderr is not None  # noqa: S101
    for line in process.stdout:
        record = json.loads(line)
        if "seed" in record:
            yield record
    if process.wait():
        raise RuntimeError(f"a world could not be played: {process.stderr.read()[-1_500:]}")


def _judge(record: dict[str, Any], report: Report) -> None:
    report.examined("pairs of worlds")
    report.examined("actions in each of them", record["actions"])
    report.examined("things compared", record["compared"])
    for way in record["ways"]:
        report.examined(f"pairs with {way}")
    for difference in record["differences"]:
        reason = next(reason for start, reason in _REASONS.items() if difference.startswith(start))
        report.find(reason, f"pair {record['seed']} ({record['cause']}): {difference}")


CHECK: Final = Check(
    name="non-interference",
    lock=Lock.NON_INTERFERENCE,
    title="worlds that differ in nothing but what people wrote look the same to whoever has the relay",
    reasons={
        "package": "what people wrote has an influence on a package",
        "database": "what people wrote has an influence on a table of the relay's, ciphertext aside",
        "decision": "what people wrote has an influence on a case, a decision or an answer",
        "log": "what people wrote has an influence on the log",
        "public-log": "what people wrote has an influence on a public log",
        "wire": "what people wrote has an influence on sizes or order on the wire",
        "timing": "what people wrote has an influence on how long somebody waits",
    },
    needs=("pairs of worlds", "things compared", *(f"pairs with {way}" for way in Way)),
    needs_a_run=False,
    examine=examine,
)
