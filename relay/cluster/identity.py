"""What the nodes of one relay have in common: an identity directory, which is made once and given to each of them as a secret.

| file                               | what it is                                                                   |
|------------------------------------|------------------------------------------------------------------------------|
| `relay.key`, `relay.crt`           | the relay's TLS key and certificate: clients trust the latter, on every node |
| `registration-code`                | whoever holds it may register tenants                                        |
| `desk.key`, `desk.crt`             | what the desk signs with                                                     |
| `log-keys/`                        | what the public logs are signed with                                         |
| `cluster.key`                      | what mailboxes are called in wake-ups is made with it: see `subjects`         |

Nodes read it and write nothing: it may be mounted read-only.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from blindrelay.policies import leaves as lawful_access
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.transparency import directory
from blindrelay.relay import files
from blindrelay.relay.config import Settings
from blindrelay.relay.datadir import DataDirectory, create_identity
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.errors import BadConfiguration, Unreadable
from blindrelay.relay.transparency.keys import FOLDER as LOG_KEYS
from blindrelay.relay.transparency.keys import open_keys

_KEY: Final = "cluster.key"
_KEY_BYTES: Final = 32
_LOGS: Final = (directory.NAME, lawful_access.NAME)
FILES: Final = (
    "relay.key",
    "relay.crt",
    "registration-code",
    "desk.key",
    "desk.crt",
    *(f"{LOG_KEYS}/{name}.key" for name in _LOGS),
    _KEY,
)


def create(folder: Path, clock: Clock, *, hosts: Sequence[str] = (), origin: str | None = None) -> list[str]:
    """Make what is not in `folder` yet; returns what that was. `hosts`: what the certificate is good for; `origin`: see `Logs`.

    Raises `Unreadable`: something in it is damaged, or it cannot be written.
    """
    missing = absent(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_identity(folder, clock.now(), hosts=hosts)
        DeskIdentity.open(folder, clock)
        for name in _LOGS:
            open_keys(folder / LOG_KEYS, name, origin)
        # The last: with it the identity is whole.
        if _KEY in missing:
            files.write_durably(folder / _KEY, f"{secrets.token_hex(_KEY_BYTES)}\n".encode())
    except OSError as error:
        raise Unreadable(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return missing


def absent(folder: Path) -> list[str]:
    """What an identity has and `folder` has not."""
    return [name for name in FILES if not (folder / name).is_file()]


def check(folder: Path) -> None:
    """Raise `Unreadable` unless `folder` holds an identity."""
    missing = absent(folder)
    if missing:
        raise Unreadable(
            f"{folder} is no identity of a relay, {', '.join(missing)} is missing: "
            f"make one with `blindrelay node init {folder}`, and give the same one to every node"
        )


def cluster_key(folder: Path) -> bytes:
    """The key of `subjects`. Raises `Unreadable`."""
    path = folder / _KEY
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error
    except ValueError:  # nothing of the file is to be in a traceback
        key = b""
    if len(key) != _KEY_BYTES:
        raise Unreadable(f"{path} is damaged: restore it from wherever the other nodes have it")
    return key


def open_directory(settings: Settings, now: float) -> DataDirectory:
    """The data directory of a relay, with the identity that it has for itself or in common with other nodes.

    Raises `StartupError`: it cannot be used.
    """
    if settings.cluster is None:
        return DataDirectory.open(settings.data_dir, now=now)
    if settings.store is None:
        raise BadConfiguration(
            "nodes of one relay share a PostgreSQL database, and this one has SQLite: "
            "give --store postgresql://USER@HOST/DATABASE"
        )
    check(settings.cluster.identity_dir)
    return DataDirectory.open(settings.data_dir, now=now, identity=settings.cluster.identity_dir)
