"""The canary sweep looks everywhere: a canary in any place is found there, and a run without any is no pass."""

import contextlib
import gzip
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from blindrelay.proofs.checks import canary
from blindrelay.proofs.checks.canary import CHECK, NothingExamined
from blindrelay.proofs.evidence.canaries import Kind, Registry
from blindrelay.proofs.evidence.folder import Evidence, Source
from blindrelay.proofs.evidence.keyring import Keyring
from support.proofs import evidence, moment, reasons, report_for, verdict

KEY = bytes(range(100, 132))


@pytest.fixture
def registry() -> Registry:
    """A run with a text and a key in it."""
    registry = Registry()
    registry.text(Kind.BODY, "of a chat")
    registry.secret(Kind.PRIVATE_KEY, "of a device", KEY)
    return registry


@pytest.fixture
def run(tmp_path: Path, registry: Registry) -> Evidence:
    """Its evidence: one look at an empty data directory, with memory that was read while letters passed."""
    (tmp_path / "disk" / "delivered").mkdir(parents=True)
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "delivered").write_bytes(b"\1" * 100)
    return evidence(tmp_path, canaries=registry.planted, moments=[moment(meanwhile=3)])


def database(path: Path, value: bytes, *, delete: bool = False) -> None:
    """With a value in a table; deleted, it stays in a free page, as it does without `secure_delete`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE note (value BLOB)")
        connection.execute("INSERT INTO note VALUES (?)", (value,))
        if delete:
            connection.execute("INSERT INTO note VALUES (zeroblob(100000))")
            connection.execute("DELETE FROM note")


def written(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def in_a_free_page(folder: Path, text: bytes) -> None:
    database(folder / "disk" / "delivered" / "relay.db", b"." * 8_000 + text, delete=True)


def in_a_cut_value(folder: Path, text: bytes) -> None:
    """A page boundary goes through it: only the value as a whole has it."""
    database(folder / "disk" / "delivered" / "relay.db", b"." * 4_040 + gzip.compress(os.urandom(3_000) + text))


PLACES: dict[str, tuple[str, Callable[[Path, bytes], None]]] = {
    "the log": ("log", lambda folder, text: written(folder / "relay.log", b'{"event": "' + text + b'"}')),
    "memory": ("memory", lambda folder, text: written(folder / "memory" / "later", bytes(5_000) + text)),
    "a file": ("disk", lambda folder, text: written(folder / "disk" / "delivered" / "spool" / "1", text)),
    "a file's name": ("disk", lambda folder, text: written(folder / "disk" / "delivered" / text.decode(), b"")),
    "the write-ahead log": ("disk", lambda folder, text: written(folder / "disk" / "delivered" / "relay.db-wal", text)),
    "a free page": ("disk", in_a_free_page),
    "a value across pages": ("disk", in_a_cut_value),
    "a backup": ("backup", lambda folder, text: database(folder / "backups" / "delivered.db", text)),
    "a temporary file": ("dump", lambda folder, text: written(folder / "tmp" / "x", text)),
    "a core": ("dump", lambda folder, text: written(folder / "core.17", text)),
    "a file without a name": ("dump", lambda folder, text: written(folder / "nameless" / "delivered" / "7", text)),
    "a connection, as it passed": (
        "wire",
        lambda folder, text: written(folder / "wire" / "00000.up", b"\x16\3\1" + text),
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", ["text", "key"])
def test_a_canary_is_found(place: str, what: str, run: Evidence, registry: Registry) -> None:
    """In every place, texts and keys alike, under the reason that says where."""
    reason, put = PLACES[place]
    text = registry.planted[0].value
    put(run.folder, text if what == "text" else KEY.hex().encode())
    report = report_for("canary")

    canary.examine(run, report)

    assert reasons(report) == [reason]


def test_nothing_is_found_where_nothing_is(run: Evidence) -> None:
    """The evidence itself has no canary in it."""
    report = report_for("canary")
    canary.examine(run, report)

    assert reasons(report) == []


def test_notices_and_packages_are_searched(tmp_path: Path, registry: Registry) -> None:
    """What users are told, and what authorities are given, as it is when it has been opened."""
    told = evidence(
        tmp_path, canaries=registry.planted, moments=[moment(meanwhile=1)],
        notices={"acme.example/alice/laptop": [registry.planted[0].value.decode()]},
    )  # fmt: skip
    written(tmp_path / "memory" / "x", b"\1")
    vars(told)["packages"] = {"case/demand": registry.planted[0].value}
    report = report_for("canary")

    canary.examine(told, report)

    assert reasons(report) == ["notice", "package"]


def test_nothing_planted_is_an_error(tmp_path: Path) -> None:
    """Such a sweep would pass whatever there is."""
    error = verdict("canary", evidence(tmp_path)).error

    assert error is not None
    assert "no canary was planted" in error


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.KNOWN])
def test_each_kind_of_canary_has_to_be_planted(kind: Kind) -> None:
    """A run in which nobody has searched for anything shows nothing about search terms."""
    assert f"canaries: {kind}" in CHECK.needs


def test_what_has_to_be_looked_at_is_missed(run: Evidence) -> None:
    """Packages, notices, write-ahead logs, free pages, exceptions: without them there is no verdict."""
    error = verdict("canary", run).error or ""

    for what in (
        *(f"bytes of {source}" for source in (Source.PACKAGE, Source.NOTICE)),
        "free pages",
        "exceptions injected",
    ):
        assert what in error


def test_memory_has_to_be_read_while_letters_pass(tmp_path: Path, registry: Registry) -> None:
    """Memory of an idle relay shows little."""
    written(tmp_path / "memory" / "delivered", b"\1")
    idle = evidence(tmp_path, canaries=registry.planted, moments=[moment(meanwhile=0)])

    with pytest.raises(NothingExamined, match="letters that arrived while memory was read"):
        canary.examine(idle, report_for("canary"))


@pytest.mark.parametrize(("limits", "is_found"), [(("0", "0"), False), (("1", "1"), False), (("0", "unlimited"), True)])
def test_a_core_must_not_be_possible(
    limits: tuple[str, str], is_found: bool, tmp_path: Path, registry: Registry
) -> None:
    """Neither now, nor after the process has raised what it may raise itself."""
    written(tmp_path / "memory" / "x", b"\1")
    crashing = evidence(tmp_path, canaries=registry.planted, moments=[moment(meanwhile=1, core_limits=limits)])
    report = report_for("canary")

    canary.examine(crashing, report)

    assert reasons(report) == (["core"] if is_found else [])


SECRET = bytes(range(32))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rest.key", SECRET),
        ("rest.key", SECRET.hex().encode()),
        ("rest.key", b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"),
    ],
)
@pytest.mark.parametrize("cipher", [AESGCM, ChaCha20Poly1305])
def test_what_the_relays_keys_open_is_searched(
    name: str, content: bytes, cipher: type[AESGCM | ChaCha20Poly1305], run: Evidence, registry: Registry
) -> None:
    """Encryption at rest, with a key beside it, in whatever form the key is kept."""
    written(run.disk("delivered") / name, content)
    sealed = bytes(12) + cipher(SECRET).encrypt(bytes(12), registry.planted[0].value, None)
    database(run.disk("delivered") / "relay.db", sealed)
    report = report_for("canary")

    canary.examine(run, report)

    assert reasons(report) == ["decrypted"]


def test_keys_in_databases_are_tried_too(run: Evidence, registry: Registry) -> None:
    """A key that is a value of a table, among values that are none."""
    sealed = bytes(12) + AESGCM(SECRET).encrypt(bytes(12), registry.planted[0].value, None)
    database(run.disk("delivered") / "relay.db", sealed)
    database(run.disk("delivered") / "desk.sqlite", SECRET)
    report = report_for("canary")

    canary.examine(run, report)

    assert reasons(report) == ["decrypted"]


def test_a_value_that_opens_nothing_is_no_key() -> None:
    """There are thousands of digests in a database; none of them is tried on everything."""
    keyring = Keyring([])
    keyring.consider([bytes([number]) * 32 for number in range(5)], [os.urandom(60)])

    assert keyring.considered == 5
    assert list(keyring.open(os.urandom(60))) == []
