"""Canary sweep of somebody's relay: texts that are known to have gone through it are nowhere on its disk, in no form, and under
no key that it has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from blindrelay.proofs.checks.canary import cells
from blindrelay.proofs.checks.deployed.model import Deployment, Examination, Part
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.evidence.canaries import TAG_LENGTH, Canary, Kind
from blindrelay.proofs.evidence.keyring import Keyring
from blindrelay.proofs.evidence.sweep import Sweep

#: A shorter text is anywhere by chance. Bytes.
SHORTEST: Final = TAG_LENGTH
#: A text is looked for in pieces of so many characters: whoever leaks one may have cut it anywhere.
_PIECE: Final = 24
#: What the relay's keys are tried on of each value: whatever is longer shows what it is by then. Bytes.
_TRIED: Final = 65_536
#: Nonce and tag: nothing shorter is encrypted.
_SHORTEST_SEALED: Final = 28


def examine(deployment: Deployment, report: Report) -> None:
    """Search files, values of databases, and what becomes of those with the relay's keys."""
    report.examined("known texts", sum(map(bool, deployment.known)))
    sweep = Sweep(_canaries(deployment.known))
    everything = {
        "disk": deployment.files(),
        "log": deployment.logs,
        "backup": (*deployment.databases, *deployment.backups),
    }
    for reason, parts in everything.items():
        for part in parts:
            for hit in sweep.file(part.path, part.where):
                report.find(reason, str(hit))
            for table, value in cells(part.path):
                for hit in sweep.data(value, f"{table} in {part.where}"):
                    report.find(reason, str(hit))
            report.examined(f"bytes of {_SOURCES[reason]}", part.path.stat().st_size)
    _with_the_relays_keys(deployment, sweep, report)
    if not deployment.logs:
        report.skip("logs: name them with --log")
    if not deployment.databases + deployment.backups:
        report.skip("backups: name them with --backup")


_SOURCES: Final = {"disk": "data directory", "log": "log", "backup": "backup"}


def _canaries(known: tuple[str, ...]) -> list[Canary]:
    """Pieces of the texts. What a finding says of them is which text it was, and not what it says."""
    found: list[Canary] = []
    for number, text in enumerate(known, 1):
        if not text:
            continue
        starts = [*range(0, max(1, len(text) - _PIECE), _PIECE), max(0, len(text) - _PIECE)]
        for start in dict.fromkeys(starts):
            about = f"the text of line {number}, from character {start + 1}"
            value = text[start : start + _PIECE].encode()
            found.append(Canary(number=len(found), kind=Kind.KNOWN, about=about, value=value))
    return found


def _with_the_relays_keys(deployment: Deployment, sweep: Sweep, report: Report) -> None:
    # What is published is no key: the logs are made of small files, and of hashes.
    keyring = Keyring(part.path for part in deployment.files() if not part.where.startswith("logs/"))
    report.examined("keys of the relay's", len(keyring.secrets))
    for where, value in _sealed(deployment):
        report.examined("values tried with the relay's keys")
        for name, opened in keyring.open(value):
            for hit in sweep.data(opened, where, depth=0):
                report.find("decrypted", f"{hit}, after it was opened with the relay's own {name}")


def _sealed(deployment: Deployment) -> Iterator[tuple[str, bytes]]:
    seen: set[bytes] = set()
    for part in (*_own_files(deployment), *deployment.databases):
        for name, value in _values(part):
            if len(value) > _SHORTEST_SEALED and value not in seen:
                seen.add(value)
                yield f"{name} in {part.where}", value


def _own_files(deployment: Deployment) -> Iterator[Part]:
    """Published logs aside: anybody can read those."""
    return (part for part in deployment.files() if not part.where.startswith("logs/"))


def _values(part: Part) -> Iterator[tuple[str, bytes]]:
    found = False
    for name, value in cells(part.path):
        found = True
        yield name, value[:_TRIED]
    if not found and not _is_empty(part.path):
        with part.path.open("rb") as file:
            yield "the beginning", file.read(_TRIED)


def _is_empty(path: Path) -> bool:
    """Nothing, or room in reserve."""
    with path.open("rb") as file:
        return not any(file.read(_TRIED))


def unfit(deployment: Deployment) -> str:
    """Why this cannot be examined here, if so."""
    return "" if deployment.known else "no text is known that went through this relay: name some with --known"


EXAMINATION: Final = Examination(
    title="texts that went through the relay are nowhere on its disk, in any form, under any of its keys",
    needs=("known texts", "bytes of data directory", "keys of the relay's", "values tried with the relay's keys"),
    examine=examine,
    unfit=unfit,
)
