"""Everything about a world that is not ciphertext: what an operator sees who looks at all of it."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import mqtt5

from blindrelay.proofs.evidence import packages
from blindrelay.proofs.evidence.folder import Connection, recorded
from blindrelay.proofs.evidence.mqtt import NotMqtt, packets
from blindrelay.proofs.worlds import chance
from blindrelay.proofs.worlds.play import World
from blindrelay.protocol import topics

#: What is ciphertext, or a checksum of it, or a fresh public key of a ratchet's. Everything else is compared.
CIPHERTEXT: Final = frozenset({"envelope.payload", "recent_id.checksum", "prekey.body", "prekey.signature"})
#: Columns that hold an account's number.
ACCOUNTS: Final = frozenset({"sender_id", "recipient_id", "mailbox_id", "account_id"})
#: Whoever has taken each other's place in the second world.
SWAPPED: Final = ("carol", "derek")
#: Under which name the sizes of packets are that may be there or not.
SIZES: Final = "wire, sizes of other packets"
#: Under which name it is when the world began, in epoch seconds.
BEGAN: Final = "the beginning"

Seen = dict[str, Any]


def look(world: World, wire: Path, keylog: Path) -> Seen:
    """What there is to be seen, by what it is."""
    seen: Seen = {BEGAN: json.dumps(world.place.clock().now())}
    for name in ("relay.db", "desk.sqlite"):
        for table, rows in _tables(world.place.relay / name):
            seen[f"{name}, table {table}"] = _without_races(rows) if table == "traffic" else rows
    seen["the log"] = [json.dumps(line, sort_keys=True, default=str) for line in world.logs]
    # Tiles are published as time permits; what is in them is in the tables, and under the checkpoint.
    for path in sorted((world.place.relay / "logs").glob("*/checkpoint")):
        seen[f"public log, {path.parent.name}"] = path.read_text("utf-8")
    for key, value in world.answers.items():
        if isinstance(value, bytes):
            seen |= {f"package, {what}": found for what, found in _opened(value)}
        else:
            seen[f"what the authority was told, {key}"] = repr(value)
    return seen | _on_the_wire(wire, keylog)


def _opened(sealed: bytes) -> Iterator[tuple[str, Any]]:
    """A package's files, and its records as they are."""
    found = packages.files(packages.opened(sealed, chance.content_key(sealed)))
    case = json.loads(found["manifest.json"])["case"]
    for name, data in found.items():
        yield f"bytes of {case}/{name}", data.hex()
        if name.endswith(".ndjson"):
            yield f"records of {case}/{name}", [json.loads(line) for line in data.splitlines()]


def _tables(path: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        names = [
            row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        for name in names:
            cursor = database.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - the database's own name
            columns = [column[0] for column in cursor.description]
            yield (
                name,
                [
                    {
                        column: _text(value)
                        for column, value in zip(columns, row, strict=True)
                        if f"{name}.{column}" not in CIPHERTEXT
                    }
                    for row in cursor
                ],
            )


def _without_races(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Anonymous envelopes of one letter come over a connection each, at the same time: which is first is the network's choice.

    So those of the same second are put in the order of their ids.
    """
    found: list[dict[str, str]] = []
    for _, group in groupby(rows, lambda row: (row["sender_id"] == "None", row["accepted_at"])):
        together = list(group)
        numbers = [row["id"] for row in together]
        if together[0]["sender_id"] == "None":
            together.sort(key=lambda row: row["message_id"])
        found += [row | {"id": number} for row, number in zip(together, numbers, strict=True)]
    return found


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)


# --- the wire


def _on_the_wire(wire: Path, keylog: Path) -> Seen:
    # Connections are made at the same time, and come in one order or another.
    passed = [each if isinstance(each, str) else _passed(each) for each in recorded(wire, keylog)]
    envelopes = sorted(json.dumps(each if isinstance(each, str) else each[0]) for each in passed)
    sizes: dict[str, set[int]] = {}
    for each in passed:
        if not isinstance(each, str):
            for kind, size in each[1]:
                sizes.setdefault(kind, set()).add(size)
    return {
        "wire, envelopes of each connection": [each for each in envelopes if each != _NOTHING],
        SIZES: {kind: sorted(found) for kind, found in sizes.items()},
    }


_NOTHING: Final = json.dumps({"to the relay": [], "from the relay": []})


def _passed(connection: Connection) -> tuple[dict[str, list[str]], list[tuple[str, int]]]:
    """Envelopes in their order, and the sizes of other packets by their kind.

    Of those neither order nor number are compared: a device that leaves does not wait for the answer to every question.
    """
    envelopes: dict[str, list[str]] = {}
    others: list[tuple[str, int]] = []
    for direction, records in (("to the relay", connection.tls.sent), ("from the relay", connection.tls.answered)):
        order = envelopes.setdefault(direction, [])
        try:
            for passed in packets(records):
                packet, size = passed.packet, len(passed.raw)
                if not isinstance(packet, mqtt5.PublishPacket):
                    others.append((type(packet).__name__, size))
                elif packet.topic.startswith((topics.TO, topics.INBOX)):
                    identity = (packet.correlation_data or b"").hex()
                    order.append(f"{packet.topic} {identity} {size} bytes, {packet.message_expiry_interval} s")
                elif packet.topic.startswith(topics.RPC) and "publish" not in packet.topic:
                    # What is published is signed, and so is what an answer may hold: a signature has 70 to 72 bytes.
                    others.append((packet.topic, size))
        except NotMqtt as error:
            order.append(str(error))
    return envelopes, others


# --- when two people have taken each other's place


def renamed(seen: Seen, accounts: dict[str, str]) -> Seen:
    """Everything of the second world that can be compared, with carol and derek where they are in the first one: traffic,
    mailboxes, connections, sessions, the wire, the records in packages, what authorities were told, and the directory's log.

    What else there is holds digests of names, or of their numbers.
    """
    return {_swap(key): _in_order(_renamed(value, accounts)) for key, value in _moved(seen)}


def in_order(seen: Seen) -> Seen:
    """The same of the first world."""
    return {key: _in_order(value) for key, value in _moved(seen)}


def _moved(seen: Seen) -> Iterator[tuple[str, Any]]:
    began = json.loads(seen[BEGAN])
    for key, value in seen.items():
        if key in _AS_THEY_ARE:
            yield key, value
        elif key.startswith("package, records of"):
            yield key, [record for record in value if _epoch(record.get("accepted", _NEVER)) >= began]
        elif key.startswith("what the authority was told"):
            yield key, _OF_PACKAGES.sub("", value)
        elif key.startswith("package, bytes of") and not key.endswith(".sig"):  # a signature has 70 to 72 bytes
            yield key, [len(value)]
        elif key in _SINCE:
            column, unit = _SINCE[key]
            rows = [row for row in value if column is None or int(row[column]) >= began // unit]
            yield key, [{name: each for name, each in row.items() if name not in {"id", "sequence"}} for row in rows]


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


_NEVER: Final = "9999-01-01T00:00:00Z"
#: What is told of a package: its digest, and its size, which depends on its signature's.
_OF_PACKAGES: Final = re.compile(r"[0-9a-f]{64}|\bsize=\d+")
#: What has no names' digests in it.
_AS_THEY_ARE: Final = frozenset({"the log", "wire, envelopes of each connection", "public log, directory", SIZES})
#: Tables of which rows are compared that came in the world itself: the column that says when, and its unit in seconds.
_SINCE: Final[dict[str, tuple[str | None, int]]] = {
    "relay.db, table traffic": ("accepted_at", 1),
    "relay.db, table envelope": ("accepted_at", 1),
    "relay.db, table access": ("opened_hour", 3_600),
    "relay.db, table session": (None, 1),
}


def _renamed(value: Any, accounts: dict[str, str]) -> Any:
    if isinstance(value, str):
        return _swap(value)
    if isinstance(value, list):
        return [_renamed(each, accounts) for each in value]
    if isinstance(value, dict):
        return {
            key: _number(each, accounts) if key in ACCOUNTS else _renamed(each, accounts) for key, each in value.items()
        }
    return value


def _number(value: Any, accounts: dict[str, str]) -> Any:
    """An account's number, as a table has it or as a package does."""
    other = accounts.get(str(value), value)
    return int(other) if isinstance(value, int) else other


def _in_order(value: Any) -> Any:
    """Rows come by their keys, and those have changed places."""
    return sorted(value, key=lambda each: json.dumps(each, sort_keys=True)) if isinstance(value, list) else value


def _swap(text: str) -> str:
    one, other = SWAPPED
    pairs = {one: other, other: one}
    return re.sub("|".join(pairs), lambda match: pairs[match.group()], text)


def account_numbers(seen: Seen) -> dict[str, str]:
    """The numbers of carol's and derek's devices, each with the other's."""
    found = {row["user"].strip("'"): row["account_id"] for row in seen["relay.db, table device"]}
    one, other = SWAPPED
    return {found[one]: found[other], found[other]: found[one]}
