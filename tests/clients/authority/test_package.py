"""Opening a disclosure package (`clients/authority/package.py`): nothing is shown that has not been verified."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindrelay.clients.authority.package import Package, PackageRejected
from blindrelay.clients.envelope import SealingKeyPair
from blindrelay.policies.package import FRAME, NUMBERS, PURPOSE, FileName, Manifest, canonical, signed_bytes
from blindrelay.policies.records import TrafficRecord
from blindrelay.policies.vocabulary import DataClass
from blindrelay.protocol.sealing import CHUNK, MAGIC, SEALED_KEY_LENGTH, TAG, Sealer
from blindrelay.relay.desk.package import PackageMaker
from blindrelay.relay.store.sqlite import SqliteStore
from support.disclosure import NOW, Desk, add_connections, add_traffic, decision, enrol, user

SEED = 2_000  # messages: about nine chunks


@dataclass(frozen=True)
class Sealed:
    """A genuine package."""

    path: Path
    desk: Desk

    def open(self, data: bytes | None = None, **changes: Any) -> Package:
        """Open it, or `data` in its place."""
        path = self.path
        if data is not None:
            path = self.path.with_name("altered")
            path.write_bytes(data)
        values = {"key": self.desk.key, "relay": self.desk.certificate, **changes}
        return Package.open(path, **values)

    def rejects(self, data: bytes | None = None, **changes: Any) -> str:
        """Which check fails."""
        with pytest.raises(PackageRejected) as found:
            self.open(data, **changes)
        return found.value.check

    def files(self) -> list[tuple[FileName, bytes]]:
        with self.open() as package:
            return list(package.files())

    def sealed_again(self, frames: list[tuple[int, bytes]], key: SealingKeyPair | None = None) -> bytes:
        """Frames in a seal of somebody else's making: everybody can seal to the authority."""
        out = io.BytesIO()
        sealer = Sealer(out, (key or self.desk.key).public, PURPOSE)
        for number, data in frames:
            sealer.write(FRAME.pack(number, len(data)) + data)
        sealer.finish()
        return out.getvalue()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("package")
    store = SqliteStore.open(folder / "relay.db", reserve_bytes=0)
    enrol(store)
    add_traffic(store, *((1, 3, NOW - SEED + n) for n in range(SEED)))
    add_connections(store, (1, NOW - 7_200, None))
    desk = Desk(folder)
    PackageMaker(store.metadata_reader, desk.identity).write(desk.order(decision(user("bob"))), folder / "d1")
    store.close()
    return Sealed(folder / "d1", desk)


def frames(files: list[tuple[FileName, bytes]]) -> list[tuple[int, bytes]]:
    return [(NUMBERS[name], data) for name, data in files]


def test_it_opens_with_the_right_key_alone(sealed: Sealed, tmp_path: Path) -> None:
    """Another authority's key does not open it, another relay's certificate does not vouch for it."""
    sealed.open().close()
    stranger = Desk(tmp_path)

    assert sealed.rejects(key=SealingKeyPair.generate()) == "seal"
    assert sealed.rejects(relay=stranger.certificate) == "signature"


def test_records_are_those_of_the_manifest(sealed: Sealed) -> None:
    """Typed, in order, as many as it says."""
    with sealed.open() as package:
        found = list(package.records(DataClass.TRAFFIC))
        assert len(found) == SEED
        assert all(isinstance(record, TrafficRecord) and record.sender_id == 1 for record in found)
        (connection,) = package.records(DataClass.ACCESS)
        assert connection.closed is None  # type: ignore[union-attr]
        assert list(package.records(DataClass.CONTENT)) == []


def test_a_table_is_the_csv_file(sealed: Sealed) -> None:
    """First the names of the columns, then as many rows as wanted."""
    with sealed.open() as package:
        head, *rows = package.rows(DataClass.TRAFFIC, limit=3)
        everything = list(package.rows(DataClass.TRAFFIC))

    assert head == ("message_id", "sender_id", "recipient_id", "accepted", "size")
    assert rows == everything[1:4]
    assert len(everything) == 1 + SEED


def test_exported_files_have_the_digests_of_the_manifest(sealed: Sealed, tmp_path: Path) -> None:
    """JSON lines and CSV byte for byte, readable by any program, and not over files that are there."""
    with sealed.open() as package:
        made = package.export(tmp_path / "out")
        with pytest.raises(FileExistsError):
            package.export(tmp_path / "out")
        entries = package.manifest.files

    assert {path.name for path in made} == {entry.name for entry in entries} | {"manifest.json", "manifest.sig"}
    for entry in entries:
        assert sha256((tmp_path / "out" / entry.name).read_bytes()).hexdigest() == entry.sha256
    lines = (tmp_path / "out" / "traffic.ndjson").read_text().splitlines()
    with (tmp_path / "out" / "traffic.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [json.loads(line)["message_id"] for line in lines] == [row["message_id"] for row in table]


def test_a_failed_export_leaves_nothing(sealed: Sealed, tmp_path: Path) -> None:
    """A name that is taken: the others are taken back."""
    (tmp_path / "traffic.csv").write_text("mine")
    with sealed.open() as package, pytest.raises(FileExistsError):
        package.export(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["traffic.csv"]
    assert (tmp_path / "traffic.csv").read_text() == "mine"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_altered_byte_goes_unnoticed(sealed: Sealed, data: st.DataObject) -> None:
    """Wherever a bit is flipped."""
    genuine = bytearray(sealed.path.read_bytes())
    place = data.draw(st.integers(0, len(genuine) - 1))
    genuine[place] ^= 1 << data.draw(st.integers(0, 7))

    assert sealed.rejects(bytes(genuine)) in {"form", "seal"}


CHUNKS = len(MAGIC) + SEALED_KEY_LENGTH
WHOLE = CHUNK + TAG


@pytest.mark.parametrize(
    "alter",
    [
        lambda data: b"",
        lambda data: data[:5],
        lambda data: data[:CHUNKS],
        lambda data: data[: CHUNKS + WHOLE],
        lambda data: data[: CHUNKS + 3 * WHOLE],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data + data[-40:],
        lambda data: data[:CHUNKS] + data[CHUNKS + WHOLE :],
        lambda data: data[: CHUNKS + WHOLE] + data[CHUNKS:],
        lambda data: data[:CHUNKS] + data[CHUNKS + WHOLE : CHUNKS + 2 * WHOLE] + data[CHUNKS : CHUNKS + WHOLE]
        + data[CHUNKS + 2 * WHOLE :],
    ],
    ids=["empty", "magic", "no chunk", "first chunk", "whole chunks", "short", "long", "end twice", "gap", "twice", "swapped"],
)  # fmt: skip
def test_chunks_cannot_be_left_out_moved_repeated_or_cut_off(sealed: Sealed, alter: Callable[[bytes], bytes]) -> None:
    """Their nonces say place and end."""
    assert sealed.rejects(alter(sealed.path.read_bytes())) in {"form", "seal"}


def test_what_others_seal_is_not_the_relays(sealed: Sealed, tmp_path: Path) -> None:
    """Everybody can seal to the authority: without the relay's signature nothing is shown."""
    files = sealed.files()
    stranger = Desk(tmp_path)
    manifest = files[-2][1]
    forged = [*files[:-1], (FileName.SIGNATURE, stranger.identity.sign(signed_bytes(manifest)))]

    assert sealed.rejects(sealed.sealed_again(frames(forged))) == "signature"
    assert sealed.rejects(sealed.sealed_again(frames(files[:-1]))) == "form"
    # A signature of the relay's over something else, even the same bytes without their purpose, does not count.
    other = [*files[:-1], (FileName.SIGNATURE, sealed.desk.identity.sign(manifest))]
    assert sealed.rejects(sealed.sealed_again(frames(other))) == "signature"


def test_a_package_that_was_made_for_another_authority_says_so(sealed: Sealed) -> None:
    """One that opens its package and seals it again to us cannot pass it off as ours."""
    ours = SealingKeyPair.generate()

    assert sealed.rejects(sealed.sealed_again(frames(sealed.files()), ours), key=ours) == "recipient"


def signed(sealed: Sealed, manifest: bytes) -> list[tuple[int, bytes]]:
    """The package's frames with another manifest that the relay itself has signed."""
    files = sealed.files()[:-2]
    signature = sealed.desk.identity.sign(signed_bytes(manifest))
    return frames([*files, (FileName.MANIFEST, manifest), (FileName.SIGNATURE, signature)])


def test_a_file_that_is_not_the_signed_one_is_rejected(sealed: Sealed) -> None:
    """A record is changed, taken out or added: the digest differs."""
    files = sealed.files()
    place = next(number for number, (name, _) in enumerate(files) if name is FileName.TRAFFIC_CSV)
    name, data = files[place]
    for other in (data.replace(b"2048", b"2049", 1), data[: data.index(b"\n") + 1], data + data[-10:], b""):
        altered = [*files[:place], (name, other), *files[place + 1 :]]
        assert sealed.rejects(sealed.sealed_again(frames(altered))) == "digest"


def test_frames_have_their_places(sealed: Sealed) -> None:
    """Manifest and signature once, at the end, in this order; no file that the manifest does not list; none unknown."""
    files = frames(sealed.files())
    body, (manifest, signature) = files[:-2], files[-2:]
    for wrong in (
        [*body, signature, manifest],
        [manifest, signature, *body],
        [*body, manifest, manifest, signature],
        [*files, signature],
        [*files, body[0]],
        [*body, manifest],
        body,
        [],
        [*body, (99, b"x"), manifest, signature],
    ):
        assert sealed.rejects(sealed.sealed_again(wrong)) == "form"


def test_a_manifest_is_canonical_and_agrees_with_itself(sealed: Sealed) -> None:
    """What the relay signed and would never write: counts that differ, a class without files, other forms, other versions."""
    with sealed.open() as package:
        manifest = package.manifest
    whole = canonical(manifest)
    first, *others = manifest.files
    one, *rest = manifest.classes

    def changed(**changes: Any) -> bytes:
        return canonical(Manifest.model_validate({**dict(manifest), **changes}))

    for wrong in (
        whole.replace(b",", b", ", 1),
        whole.replace(b"package-1", b"package-2"),
        whole.replace(b'{"case"', b'{"aside":"hello","case"'),
        changed(files=tuple(others)),
        changed(files=(first, first, *others)),
        changed(classes=tuple(rest)),
        changed(classes=(one, one, *rest)),
        changed(files=(first.model_copy(update={"records": 7}), *others)),
        changed(classes=(one.model_copy(update={"records": 7}), *rest)),
    ):
        assert sealed.rejects(sealed.sealed_again(signed(sealed, wrong))) == "manifest"
    assert sealed.rejects(sealed.sealed_again(signed(sealed, changed(relay="0" * 64)))) == "relay"
    sealed.open(sealed.sealed_again(signed(sealed, whole))).close()


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
def test_whatever_is_sealed_is_rejected_in_words(sealed: Sealed, data: bytes) -> None:
    """No form of plaintext makes anything but a rejection."""
    out = io.BytesIO()
    sealer = Sealer(out, sealed.desk.key.public, PURPOSE)
    sealer.write(data)
    sealer.finish()

    assert sealed.rejects(out.getvalue()) == "form"


def test_what_is_put_into_the_file_after_it_was_verified_does_not_open(sealed: Sealed, tmp_path: Path) -> None:
    """Records are handed out in a second pass, with the content key of the first."""
    path = tmp_path / "d1"
    path.write_bytes(sealed.path.read_bytes())
    with Package.open(path, sealed.desk.key, sealed.desk.certificate) as package:
        path.write_bytes(sealed.sealed_again(frames(sealed.files())))
        with pytest.raises(PackageRejected, match="seal"):
            list(package.records(DataClass.TRAFFIC))


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.integers(0, 3 * CHUNK), max_size=5))
def test_a_sealed_stream_does_not_depend_on_how_it_was_written(sealed: Sealed, pieces: list[int]) -> None:
    """Whatever the pieces, full chunks and one last; and the end of a chunk is not the end of the stream."""
    out = io.BytesIO()
    sealer = Sealer(out, sealed.desk.key.public, b"test")
    for size in pieces:
        sealer.write(bytes(size))
    sealer.finish()
    chunks = max(-(-sum(pieces) // CHUNK), 1)

    assert len(out.getvalue()) == CHUNKS + sum(pieces) + chunks * TAG
