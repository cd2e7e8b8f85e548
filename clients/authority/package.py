"""Opens a disclosure package: decrypts it, verifies everything, and only then shows what is in it.

The format is `blindrelay.policies.package`. Two passes over the file, each in bounded memory: the first checks the seal, the
form, the relay's signature over the manifest and the digest of every file; the second hands out records. The first pass has
authenticated the content key, and the second uses that key: what somebody puts into the file in between does not open.
"""

import csv
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from pydantic import ValidationError

from blindrelay.clients.errors import ClientError
from blindrelay.policies.package import (
    FRAME,
    KINDS,
    MAX_FRAME,
    PURPOSE,
    FileName,
    Manifest,
    canonical,
    signed_bytes,
)
from blindrelay.policies.records import AccessRecord, SubscriberRecord, TrafficRecord
from blindrelay.policies.vocabulary import DataClass
from blindrelay.protocol.certificates import fingerprint, public_key
from blindrelay.protocol.errors import VerificationFailed
from blindrelay.protocol.sealing import CHUNK, KEY_LENGTH, MAGIC, SEALED_KEY_LENGTH, TAG, nonce, sealing_info

AnyRecord = SubscriberRecord | AccessRecord | TrafficRecord

_NAMES: Final = tuple(FileName)
_LAST: Final = (FileName.MANIFEST, FileName.SIGNATURE)
_WITH_HEAD: Final = frozenset(kind.csv_file for kind in KINDS.values())
_MAX_SIGNATURE: Final = 80
# A record's line is 300 bytes at most; one that is longer is not looked at.
_MAX_LINE: Final = 4_096

#: Told how many bytes of the sealed file have been read, of how many.
Progress = Callable[[int, int], None]


def _silent(_done: int, _of: int) -> None:
    """Nobody looks."""


class PackageRejected(ClientError):
    """The package is not what it should be, and nothing of it is shown. `check` says what failed.

    `seal` (not for this key, or altered), `form`, `recipient`, `relay`, `signature`, `manifest`, `digest`, `record`.
    """

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(f"{check}: {reason}")
        self.check = check
        self.reason = reason


class OpeningKey(Protocol):
    """The authority's X-Wing key pair: `blindrelay.clients.envelope.SealingKeyPair`."""

    @property
    def public(self) -> bytes:
        """Its public key, 1,216 bytes."""

    def decrypt(self, sealed: bytes, info: bytes) -> bytes:
        """Open HPKE; raise `InvalidTag` or `ValueError`."""


class Package:
    """A package that has been verified. A context manager; `close` gives the file back.

    Attributes:
        manifest: what is in it, why, and from whom.
        digest: SHA-256 of the sealed file, in hex: what the relay has logged.
    """

    def __init__(self, file: BinaryIO, content_key: bytes, manifest: Manifest, digest: str) -> None:
        self.manifest = manifest
        self.digest = digest
        self._file = file
        self._content_key = content_key

    @classmethod
    def open(
        cls,
        path: Path,
        key: OpeningKey,
        relay: x509.Certificate,
        progress: Progress = _silent,
    ) -> Self:
        """Verify the package at `path`, sealed to `key` and signed by `relay`'s desk.

        Raises `PackageRejected`, or `OSError` when the file cannot be read.
        """
        file = path.open("rb")
        try:
            reading = _Reading(file, progress)
            content_key = reading.head(key)
            manifest = _verify(reading.chunks(content_key), key, relay)
            return cls(file, content_key, manifest, reading.digest.hexdigest())
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def records(self, data_class: DataClass) -> Iterator[AnyRecord]:
        """The records of one class, one by one; none when the class is not in the package."""
        if data_class not in KINDS:
            return
        kind = KINDS[data_class]
        for line in self._lines(kind.json_file):
            try:
                yield kind.model.model_validate_json(line)
            except ValidationError as error:
                raise PackageRejected("record", f"a line of {kind.json_file} is no {data_class} record") from error

    def rows(self, data_class: DataClass, limit: int | None = None) -> Iterator[tuple[str, ...]]:
        """The same as text for a table: first the names of the columns, then `limit` records at most."""
        if data_class not in {entry.data_class for entry in self.manifest.classes}:
            return
        lines = (line.decode("ascii") for line in self._lines(KINDS[data_class].csv_file))
        yield from map(tuple, csv.reader(lines if limit is None else islice(lines, limit + 1)))

    def files(self, progress: Progress = _silent) -> Iterator[tuple[FileName, bytes]]:
        """The package's files, in pieces, as they are in it: those of several files alternate. Manifest and signature last."""
        self._file.seek(len(MAGIC) + SEALED_KEY_LENGTH)
        yield from _frames(_Reading(self._file, progress).chunks(self._content_key))

    def export(self, folder: Path, progress: Progress = _silent) -> list[Path]:
        """Write the package's files to `folder`, which is made (mode 0700), byte for byte: their digests can be compared.

        Files that are there already are not replaced: raises `FileExistsError`. Nothing is left when it fails.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made: dict[FileName, BinaryIO] = {}
        try:
            for name in [*(entry.name for entry in self.manifest.files), *_LAST]:
                made[name] = open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: PTH123, SIM115
            for name, data in self.files(progress):
                made[name].write(data)
            for file in made.values():
                file.close()
        except BaseException:
            for name, file in made.items():
                file.close()
                (folder / name).unlink(missing_ok=True)
            raise
        return [folder / name for name in made]

    def _lines(self, wanted: FileName) -> Iterator[bytes]:
        rest = b""
        for name, data in self.files():
            if name is not wanted:
                continue
            *whole, rest = (rest + data).split(b"\n")
            if len(rest) > _MAX_LINE:
                raise PackageRejected("record", f"a line of {wanted} is too long")
            yield from whole
        if rest:
            raise PackageRejected("record", f"the last line of {wanted} does not end")


class _Reading:
    """A sealed stream, from front to back."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._size = os.fstat(file.fileno()).st_size
        self._read = 0
        self.digest = sha256()

    def head(self, key: OpeningKey) -> bytes:
        """The content key."""
        if self._take(len(MAGIC)) != MAGIC:
            raise PackageRejected("form", "not a disclosure package that this version understands")
        try:
            content_key = key.decrypt(self._take(SEALED_KEY_LENGTH), sealing_info(PURPOSE))
        except (InvalidTag, ValueError) as error:
            raise PackageRejected("seal", "it is not sealed to this authority's key, or it was altered") from error
        if len(content_key) != KEY_LENGTH:
            raise PackageRejected("form", "the content key has another length")
        return content_key

    def chunks(self, content_key: bytes) -> Iterator[bytes]:
        """What is in the chunks."""
        cipher = ChaCha20Poly1305(content_key)
        number, chunk = 0, self._take(CHUNK + TAG)
        while True:
            following = self._take(CHUNK + TAG)
            try:
                yield cipher.decrypt(nonce(number, is_last=not following), chunk, None)
            except InvalidTag as error:
                raise PackageRejected("seal", "it was altered, or the end of it is missing") from error
            if not following:
                return
            number, chunk = number + 1, following

    def _take(self, length: int) -> bytes:
        data = self._file.read(length)
        self.digest.update(data)
        self._read += len(data)
        self._progress(self._read, self._size)
        return data


def _frames(chunks: Iterator[bytes]) -> Iterator[tuple[FileName, bytes]]:
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= FRAME.size:
            number, length = FRAME.unpack_from(waiting)
            if number >= len(_NAMES) or length > MAX_FRAME:
                raise PackageRejected("form", "it holds a frame that this version does not know")
            if len(waiting) < FRAME.size + length:
                break
            yield _NAMES[number], bytes(waiting[FRAME.size : FRAME.size + length])
            del waiting[: FRAME.size + length]
    if waiting:
        raise PackageRejected("form", "its last frame is cut off")


class _Seen:
    """A file of the package, as far as it has come."""

    def __init__(self) -> None:
        self.size = self.line_ends = 0
        self._digest = sha256()

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self.line_ends += data.count(b"\n")
        self._digest.update(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _verify(chunks: Iterator[bytes], key: OpeningKey, relay: x509.Certificate) -> Manifest:
    found: dict[FileName, _Seen] = {}
    last: dict[FileName, bytes] = {}
    for name, data in _frames(chunks):
        if name in _LAST:
            if tuple(last) != _LAST[: _LAST.index(name)]:
                raise PackageRejected("form", f"{name} is not in its place")
            last[name] = data
        elif last:
            raise PackageRejected("form", f"{name} goes on behind the manifest")
        else:
            found.setdefault(name, _Seen()).add(data)
    if len(last) != len(_LAST):
        raise PackageRejected("form", "manifest or signature are missing")
    manifest = _manifest(last[FileName.MANIFEST], last[FileName.SIGNATURE], key, relay)
    _check_files(manifest, found)
    return manifest


def _manifest(body: bytes, signature: bytes, key: OpeningKey, relay: x509.Certificate) -> Manifest:
    try:
        public_key(relay).verify(signature[:_MAX_SIGNATURE], signed_bytes(body), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise PackageRejected("signature", "this relay has not signed the manifest") from error
    except VerificationFailed as error:
        raise PackageRejected("relay", error.reason) from error
    try:
        manifest = Manifest.model_validate_json(body)
    except ValidationError as error:
        raise PackageRejected(
            "manifest", "it is signed, and is not a manifest that this version understands"
        ) from error
    if canonical(manifest) != body:
        raise PackageRejected("manifest", "it is signed, and is not in canonical form")
    if manifest.recipient != sha256(key.public).hexdigest():
        raise PackageRejected("recipient", "it was made for another authority and sealed again")
    if manifest.relay != fingerprint(relay).hex():
        raise PackageRejected("relay", "it names another certificate of the relay")
    return manifest


def _check_files(manifest: Manifest, found: dict[FileName, _Seen]) -> None:
    records = {name: entry.records for entry in manifest.classes for name in _files_of(entry.data_class)}
    listed = {entry.name for entry in manifest.files}
    if listed != set(records) or len(manifest.files) != len(listed) or len(records) != 2 * len(manifest.classes):
        raise PackageRejected("manifest", "its files are not those of its classes")
    if not set(found) <= listed:
        raise PackageRejected("manifest", "it does not list all files that are in the package")
    for entry in manifest.files:
        seen = found.get(entry.name, _Seen())
        if (seen.size, seen.sha256) != (entry.size, entry.sha256):
            raise PackageRejected("digest", f"{entry.name} is not the file that the relay has signed")
        heads = 1 if entry.name in _WITH_HEAD else 0
        if not entry.records == records[entry.name] == seen.line_ends - heads:
            raise PackageRejected("manifest", f"{entry.name} has not as many records as it says")


def _files_of(data_class: DataClass) -> tuple[FileName, ...]:
    kind = KINDS.get(data_class)
    return () if kind is None else (kind.json_file, kind.csv_file)
