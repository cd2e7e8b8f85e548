"""Disclosure packages: what is selected is written, digested, signed and sealed in one go through the records.

The format is `blindrelay.policies.package` inside `blindrelay.protocol.sealing`. Memory is bounded by a piece of the selection
and a frame of each file, however many records there are. Nothing of a package is ever on the disk in the clear.

A package appears whole or not at all: it is written beside its place, synced, and renamed. What a crash leaves behind is thrown
away by the next attempt, and the package is written again: it says the same, byte for byte, for nothing in it comes from
chance or from the moment of writing. The sealed file differs, because its content key is new each time.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from uuid import UUID

from cryptography import x509

from blindrelay.policies.package import (
    FRAME,
    KINDS,
    NUMBERS,
    PURPOSE,
    ClassEntry,
    FileEntry,
    FileName,
    Manifest,
    canonical,
    moment,
    signed_bytes,
)
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.sealing import Sealer
from blindrelay.relay.desk.errors import DeskError
from blindrelay.relay.desk.ports import Making, PackageDigest, PackageOrder
from blindrelay.relay.desk.selection import ClassSelection, Reader, Selection, count, rows, select_demand
from blindrelay.relay.store.metadata import OpenMetadata

# What of each file is gathered before it becomes a frame: few enough bytes to hold six of them, enough to hash in one go.
_FRAME_BYTES: Final = 262_144
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CRLF: Final = "\r\n"  # RFC 4180


class PackageNotWritten(DeskError):
    """There is no package; nothing is left on the disk. The message says why and whether it helps to try again."""


class Signer(Protocol):
    """The relay towards authorities: `blindrelay.relay.desk.identity.DeskIdentity`."""

    @property
    def certificate(self) -> x509.Certificate:
        """Of the key that signs."""

    def sign(self, data: bytes) -> bytes:
        """ECDSA P-256 with SHA-256, DER."""


class PackageMaker:
    """The desk's `Packages`: writes the package of a granted demand from the relay's database."""

    def __init__(self, metadata: OpenMetadata, signer: Signer) -> None:
        self._open_metadata = metadata
        self._signer = signer
        self._making: dict[str, Making] = {}

    def write(self, order: PackageOrder, out: Path) -> PackageDigest:
        """Write the package to `out`, durably; what is there already is replaced. Blocks: give it a thread.

        Raises:
            NotSelectable: the decision grants nothing that a package could hold.
            PackageNotWritten: no room on the disk, or it cannot be written to.
        """
        try:
            with self._open_metadata() as reader:
                selection = select_demand(order.decision, reader, order.made_at.timestamp())
                with _whole(out) as file:
                    return self._write(order, selection, reader, file)
        finally:
            self._making.pop(order.key, None)

    def making(self, key: str) -> Making | None:
        """See `blindrelay.relay.desk.ports.Packages`. Any thread may ask."""
        return self._making.get(key)

    def told(self, key: str, making: Making) -> None:
        """The package of this key has come so far."""
        self._making[key] = making

    def _write(self, order: PackageOrder, selection: Selection, reader: Reader, file: BinaryIO) -> PackageDigest:
        counted = _Counted(file)
        sealer = Sealer(counted, order.package_key, PURPOSE)
        total = sum(count(chosen, reader) for chosen in selection.classes)
        gone_through = _Counter(total, lambda making: self.told(order.key, making))
        entries: list[FileEntry] = []
        classes: list[ClassEntry] = []
        for chosen in selection.classes:
            written = _write_class(chosen, reader, sealer, gone_through)
            entries += written
            classes.append(_class_entry(chosen, written[0].records))
        manifest = canonical(_manifest(order, self._signer, tuple(classes), tuple(entries)))
        _frame(sealer, FileName.MANIFEST, manifest)
        _frame(sealer, FileName.SIGNATURE, self._signer.sign(signed_bytes(manifest)))
        sealer.finish()
        gone_through.finish()
        return PackageDigest(
            counted.digest.hexdigest(),
            counted.size,
            {entry.data_class: entry.records for entry in classes},
            selection.accounts,
            sha256(manifest).hexdigest(),
        )


class _Counter:
    """Tells how far one is."""

    def __init__(self, total: int, told: Callable[[Making], None]) -> None:
        self._total = total
        self._told = told
        self._done = 0

    def __call__(self, number: int) -> None:
        """So many more rows have been gone through."""
        self._done = min(self._done + number, self._total)
        self._told(Making(self._done, self._total))

    def finish(self) -> None:
        """All is written."""
        self._told(Making(self._total, self._total))


def _write_class(
    chosen: ClassSelection, reader: Reader, sealer: Sealer, gone_through: Callable[[int], None]
) -> tuple[FileEntry, FileEntry]:
    kind = KINDS[chosen.data_class]
    json_file, csv_file = _File(kind.json_file, sealer), _File(kind.csv_file, sealer)
    csv_file.write([",".join(kind.fields)], _CRLF)
    records = 0
    for piece in rows(chosen, reader):
        made = [kind.lines(row) for row in piece.rows]
        json_file.write([line for line, _ in made], "\n")
        csv_file.write([line for _, line in made], _CRLF)
        records += len(made)
        gone_through(piece.looked_at)
    return json_file.finish(records), csv_file.finish(records)


class _File:
    """A file of the package, on its way into frames."""

    def __init__(self, name: FileName, sealer: Sealer) -> None:
        self._name = name
        self._sealer = sealer
        self._waiting = bytearray()
        self._digest = sha256()
        self._size = 0

    def write(self, made: list[str], end: str) -> None:
        """Append lines."""
        if made:
            self._waiting += f"{end.join(made)}{end}".encode("ascii")
        # A frame's length depends on what is written alone, so that the same records make the same frames.
        while len(self._waiting) >= _FRAME_BYTES:
            self._leave(_FRAME_BYTES)

    def finish(self, records: int) -> FileEntry:
        """All lines are there."""
        if self._waiting:
            self._leave(len(self._waiting))
        return FileEntry(name=self._name, size=self._size, records=records, sha256=self._digest.hexdigest())

    def _leave(self, length: int) -> None:
        data = bytes(self._waiting[:length])
        del self._waiting[:length]
        self._digest.update(data)
        self._size += length
        _frame(self._sealer, self._name, data)


def _frame(sealer: Sealer, name: FileName, data: bytes) -> None:
    sealer.write(FRAME.pack(NUMBERS[name], len(data)))
    sealer.write(data)


def _class_entry(chosen: ClassSelection, records: int) -> ClassEntry:
    window = chosen.window
    return ClassEntry(
        data_class=chosen.data_class,
        accounts=chosen.accounts,
        since=moment(window.since),
        until=moment(window.until),
        records=records,
    )


def _manifest(
    order: PackageOrder, signer: Signer, classes: tuple[ClassEntry, ...], files: tuple[FileEntry, ...]
) -> Manifest:
    return Manifest(
        case=UUID(order.case_id),
        request=UUID(order.request_id),
        demand=order.demand_id,
        instrument=order.authorisation.instrument,
        made=moment(int(order.made_at.timestamp())),
        recipient=sha256(order.package_key).hexdigest(),
        relay=fingerprint(signer.certificate).hex(),
        classes=classes,
        files=files,
    )


class _Counted:
    """A file that knows the SHA-256 and the size of what has been written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Append `data`."""
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[BinaryIO]:
    """A file that is at `out`, durably, when the block ends well, and nowhere when it does not."""
    temporary = out.with_name(f".{out.name}.partial")
    try:
        temporary.unlink(missing_ok=True)  # of an attempt that was interrupted
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - it is a descriptor
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out)
        _sync_folder(out.parent)
    except OSError as error:
        _remove(temporary)
        raise PackageNotWritten(_sentence(out, error)) from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sentence(out: Path, error: OSError) -> str:
    if error.errno in _FULL:
        return f"there is no room for the package in {out.parent}: make room, and it is written again"
    return f"the package cannot be written to {out.parent}: {error.strerror or error}"
