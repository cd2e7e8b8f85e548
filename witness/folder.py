"""What a witness keeps.

    witness.key               its private keys, one a line, the newest last (PRIVATE+KEY+<name>+<key id>+<base64>)
    logs/<origin hash>/       a log that it knows; the origin hash is the hexadecimal SHA-256 of the log's origin
        keys                  the log's verifier keys, one a line
        checkpoint            the last checkpoint that was cosigned, with the signatures of both
        split-view/           two checkpoints of one size that the log has signed, should that ever come to light
    lock, logs/lock           held while a witness runs, and while a log is added

Nothing is kept in memory but the keys: what the witness knows of a log is what the disk says, each time anew. A log without
its checkpoint, or with one that none of the witness's own keys has cosigned, is an error and never a log that has not been
seen before: whoever takes away a witness's memory takes away its voice.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosign, cosigned_at
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey, VerifierKey
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT
from blindrelay.protocol.transparency.note import Note
from blindrelay.witness.errors import FolderInUse, NoWitness, UnknownLog, Unreadable
from blindrelay.witness.files import locked, make_folder, sync_folder, write_durably

DEFAULT_NAME: Final = "localhost/witness"
#: Of contradictions of one log. The first one says it all.
MAX_SPLIT_VIEWS: Final = 16
_KEY_FILE: Final = "witness.key"
_LOGS: Final = "logs"
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The last checkpoint that was cosigned, and when (seconds since the epoch)."""

    head: Checkpoint
    note: Note
    time: int
    #: Whether the log has asked for it; else it is the empty log that every witness begins with.
    submitted: bool


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log, and the keys that it may sign with: several while one takes over from another."""

    path: Path
    origin: str
    keys: tuple[VerifierKey, ...]

    @property
    def split_views(self) -> list[Path]:
        """The files of checkpoints that contradict each other."""
        return sorted((self.path / "split-view").glob("*.checkpoint"))


def origin_hash(origin: str) -> str:
    """Under which a log's checkpoint is found (https://c2sp.org/tlog-witness, "Monitor Retrieval")."""
    return sha256(origin.encode()).hexdigest()


class Folder:
    """A witness's folder. `keys` are its own, the newest last."""

    def __init__(self, path: Path, keys: tuple[SigningKey, ...]) -> None:
        self.path = path
        self.keys = keys

    @classmethod
    def read(cls, path: Path) -> Self:
        """The witness that is there.

        Raises:
            NoWitness: there is none.
            Unreadable: its keys cannot be read.
        """
        file = path / _KEY_FILE
        if not file.exists():
            raise NoWitness(f"there is no witness in {path}: `blindrelay witness run {path}` makes one")
        with _readable(file):
            keys = tuple(SigningKey.parse(line) for line in file.read_text(encoding="utf-8").splitlines())
            if not keys or len({key.name for key in keys}) > 1:
                raise Malformed("expected a private key on each line, all with one name")
            for key in keys:
                if key.algorithm is not Algorithm.COSIGNATURE:
                    raise Malformed(f"{key.verifier} is no key to cosign with")
        return cls(path, keys)

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, name: str | None, clock: Clock) -> Iterator[Self]:
        """The witness that is there, or a new one with that name, for as long as the context lasts; nobody else has it then.

        Every log's checkpoint is verified, and cosigned by each of the keys, of which there may be a new one.

        Raises:
            FolderInUse: another process has it.
            Malformed: the name is none.
            Unreadable: it has another name, or something in it is missing or damaged.
        """
        new = SigningKey.generate(
            name or DEFAULT_NAME, Algorithm.COSIGNATURE
        )  # before anything is made, for its name's sake
        with contextlib.ExitStack() as held:
            with _readable(path):
                make_folder(path / _LOGS)
                try:
                    held.enter_context(locked(path / "lock", wait=False))
                except BlockingIOError as error:
                    raise FolderInUse(f"a witness runs on {path} already: stop it first") from error
                if not (path / _KEY_FILE).exists():
                    _write_keys(path, (new,))
                (path / _KEY_FILE).chmod(0o600)
            folder = cls.read(path)
            if name not in {None, folder.name}:
                raise Unreadable(f"the witness in {path} is {folder.name}, and not {name}: a name cannot be changed")
            for log in folder.logs():
                folder._cosign_with_every_key(log, clock)
            yield folder

    @property
    def name(self) -> str:
        """The name of the witness's keys."""
        return self.keys[-1].name

    def new_key(self) -> Self:
        """With one more key, which cosigns beside the others. The folder must be open, and is to be opened again."""
        keys = (*self.keys, SigningKey.generate(self.name, Algorithm.COSIGNATURE))
        return self._with_keys(keys)

    def retire(self, key_id: str) -> Self:
        """Without a key, which must not be the last one. The folder must be open, so that the others have cosigned everything.

        Raises:
            Malformed: there is no such key, or no other.
        """
        keys = tuple(key for key in self.keys if key.verifier.key_id.hex() != key_id)
        if len(keys) == len(self.keys):
            raise Malformed(f"there is no key {key_id!r}: the id is the second part of a verifier key")
        if not keys:
            raise Malformed(f"{key_id} is the witness's only key: make another one first, and have it published")
        return self._with_keys(keys)

    def _with_keys(self, keys: tuple[SigningKey, ...]) -> Self:
        _write_keys(self.path, keys)
        return type(self)(self.path, keys)

    # Logs.

    def logs(self) -> list[KnownLog]:
        """All that it knows, by origin. Raises `Unreadable`."""
        found = (self._log(file.parent) for file in (self.path / _LOGS).glob("*/keys"))
        return sorted(found, key=lambda log: log.origin)

    def log(self, origin: str) -> KnownLog:
        """One of them. Raises `UnknownLog`, `Unreadable`."""
        return self.log_at(origin_hash(origin))

    def log_at(self, digest: str) -> KnownLog:
        """The log whose origin has this hash. Raises `UnknownLog`, `Unreadable`."""
        path = self.path / _LOGS / digest
        if not _HASH.fullmatch(digest) or not (path / "keys").exists():
            raise UnknownLog(
                "this witness does not know the log: its operator adds it with `blindrelay witness add-log`"
            )
        return self._log(path)

    def _log(self, path: Path) -> KnownLog:
        with _readable(path / "keys"):
            keys = tuple(VerifierKey.parse(line) for line in (path / "keys").read_text(encoding="utf-8").splitlines())
            if {origin_hash(key.name) for key in keys} != {path.name}:
                raise Malformed("expected verifier keys of the log that the folder is named after")
        return KnownLog(path, keys[0].name, keys)

    def add_log(self, key: VerifierKey, clock: Clock) -> KnownLog:
        """Know a log from now on, or another key of one; a witness that runs notices.

        Raises:
            Malformed: the key is of another kind, or the witness's own.
            Unreadable: it cannot be written down.
        """
        if key.algorithm is not Algorithm.ED25519:
            raise Malformed(f"{key} is of the kind {key.algorithm:#04x}, and a log signs with {Algorithm.ED25519:#04x}")
        if key.name == self.name or key.public in {own.verifier.public for own in self.keys}:
            raise Malformed(f"{key} is this witness's own key or has its name: one key, one name, one purpose")
        path = self.path / _LOGS / origin_hash(key.name)
        with _readable(path), locked(self.path / _LOGS / "lock", wait=True):
            make_folder(path)
            if not (path / "keys").exists():
                self._begin(path, key.name, clock)
            keys = self._log(path).keys if (path / "keys").exists() else ()
            if key not in keys:
                write_durably(path / "keys", "".join(f"{known}\n" for known in (*keys, key)).encode())
        return self._log(path)

    def _begin(self, path: Path, origin: str, clock: Clock) -> None:
        # The memory first, and then the key that makes it a log that is known. One that is there stays.
        if not (path / "checkpoint").exists():
            note = Note(Checkpoint(origin, 0, EMPTY_ROOT).text)
            write_durably(path / "checkpoint", self.cosigned(note, int(clock.now())).encode())

    # Checkpoints.

    def last(self, log: KnownLog) -> Cosigned:
        """The last checkpoint that was cosigned.

        Raises:
            Unreadable: it is missing, damaged, or not what this witness has cosigned.
        """
        with _readable(log.path / "checkpoint"):
            note = Note.parse((log.path / "checkpoint").read_bytes())
            head = Checkpoint.parse(note.text)
            times = [time for key in self.keys if (time := cosigned_at(note, key.verifier)) is not None]
            if head.origin != log.origin or not times:
                raise Malformed(f"expected a checkpoint of {log.origin} that this witness has cosigned")
        return Cosigned(head, note, max(times), any(found.name != self.name for found in note.signatures))

    def cosigned(self, note: Note, time: int) -> Note:
        """With a cosignature of each key. Nothing may leave before `keep` has returned."""
        return note.with_signature(*(cosign(note, key, time) for key in self.keys))

    def keep(self, log: KnownLog, note: Note) -> None:
        """Remember this one. Raises `OSError`: then nobody knows, and nothing has been signed."""
        write_durably(log.path / "checkpoint", note.encode())

    def keep_split_view(self, log: KnownLog, *notes: Note) -> None:
        """Write down checkpoints that contradict each other. Raises `OSError`."""
        folder = log.path / "split-view"
        make_folder(folder)
        for note in notes:
            head = Checkpoint.parse(note.text)
            file = folder / f"{head.size}-{head.root.hex()[:16]}.checkpoint"
            if not file.exists() and len(log.split_views) < MAX_SPLIT_VIEWS:
                write_durably(file, note.encode())

    def _cosign_with_every_key(self, log: KnownLog, clock: Clock) -> None:
        last = self.last(log)
        if all(cosigned_at(last.note, key.verifier) is not None for key in self.keys):
            with _readable(log.path):
                sync_folder(log.path)  # who had it before may have been killed in the middle of keeping this one
            return
        signed = tuple(found for found in last.note.signatures if found.name != self.name)
        with _readable(log.path):
            self.keep(log, self.cosigned(Note(last.note.text, signed), max(int(clock.now()), last.time)))


def _write_keys(path: Path, keys: Iterable[SigningKey]) -> None:
    with _readable(path / _KEY_FILE):
        write_durably(path / _KEY_FILE, "".join(f"{key.encode()}\n" for key in keys).encode())


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What is missing, damaged or out of reach is `Unreadable`."""
    try:
        yield
    except (OSError, UnicodeDecodeError, Malformed) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise Unreadable(
            f"{path} cannot be used: {what}. Restore it as it was last; from an older copy the witness would sign what "
            "contradicts what it has signed since. If it is lost, make a new witness, with a new key"
        ) from error
