"""What holds in every scenario, whether it says so or not: what people wrote is nowhere, and nothing is lost."""

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from blindrelay.policies.decision import Decision
from blindrelay.policies.vocabulary import METADATA
from blindrelay.proofs.scenarios.comparison import Comparison

#: Read so much at a time. A canary that lies across two pieces is found by the overlap.
_PIECE: Final = 1 << 20


def forms(text: str) -> list[bytes]:
    """The bytes that a text could be hidden in without a key: as it is, as UTF-16, in hexadecimal, in Base64 at any place."""
    plain = text.encode()
    found = [
        plain,
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        plain.hex().encode(),
        plain.hex().upper().encode(),
    ]
    for shift in range(3):
        # Without the characters at both ends, which depend on what stands before and behind.
        encoded = base64.b64encode(b"\0" * shift + plain)
        inner = encoded[(4 if shift else 0) : len(encoded) - 4]
        found += [inner, inner.replace(b"+", b"-").replace(b"/", b"_")]
    return list(dict.fromkeys(found))


class Sweep:
    """Searches bytes for what people wrote. `searched` is how many bytes that were."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._needles = {text: forms(text) for text in texts}
        self._overlap = max((len(form) for found in self._needles.values() for form in found), default=1) - 1
        self.searched = 0

    def bytes(self, data: bytes) -> list[str]:
        """The texts that are in `data`, in any form."""
        self.searched += len(data)
        return [text for text, found in self._needles.items() if any(form in data for form in found)]

    def file(self, path: Path) -> list[str]:
        """The texts that are in a file. One that has gone meanwhile holds none."""
        found: dict[str, None] = {}
        try:
            with path.open("rb") as file:
                tail = b""
                while piece := file.read(_PIECE):
                    if not piece.strip(b"\0"):  # room that the store keeps in reserve
                        self.searched += len(piece)
                        tail = b""
                        continue
                    found.update(dict.fromkeys(self.bytes(tail + piece)))
                    tail = piece[-self._overlap :]
        except FileNotFoundError:
            return []
        return list(found)

    def folder(self, folder: Path) -> Iterator[tuple[Path, str]]:
        """Each file below `folder`, with each text that is in it."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield from ((path, text) for text in self.file(path))


def compare_decision(decision: Decision, comparison: Comparison) -> None:
    """Nothing but metadata of named accounts is ever granted."""
    for demand in decision.demands:
        if not demand.classes:
            comparison.same(f"{demand.demand_id}.discloses", False, demand.outcome.discloses and demand.service is None)
        for one in demand.classes:
            if one.data_class not in METADATA:
                comparison.same(f"{demand.demand_id}.{one.data_class}.discloses", False, one.outcome.discloses)
            if one.outcome.discloses:
                kinds = {target.format.value for target in one.targets}
                comparison.same(
                    f"{demand.demand_id}.{one.data_class}.bulk", False, bool(kinds & {"all-users", "tenant"})
                )
