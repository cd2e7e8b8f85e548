"""What a log signs with: a file of its own, apart from the relay's TLS key, one key a line.

While a key is being replaced there are two lines, the new one first: checkpoints are signed with both, so that whoever has
pinned the old one can go on until they have learned the new one.
"""

import secrets
from pathlib import Path
from typing import Final

from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.relay import files
from blindrelay.relay.errors import Unreadable

FOLDER: Final = "log-keys"
_MAX_KEYS: Final = 2


def open_keys(folder: Path, name: str, origin: str | None) -> tuple[SigningKey, ...]:
    """The keys of the log `name`, the current one first; a new one when there is none. `origin`: see `Logs.origin`.

    Raises:
        Unreadable: the file cannot be read, or has something else in it.
    """
    path = folder / f"{name}.key"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            first = origin or _origin_of(folder) or f"relay-{secrets.token_hex(4)}"
            write_keys(path, (SigningKey.generate(f"{first}/{name}"),))
        keys = tuple(map(SigningKey.parse, path.read_text("ascii").split()))
    except OSError as error:
        raise Unreadable(f"{path} cannot be read or written: {error.strerror}") from error
    except ValueError:  # nothing of the file is to be in a traceback
        raise Unreadable(f"{path} is damaged: expected one private key a line") from None
    if not 0 < len(keys) <= _MAX_KEYS or len({key.name for key in keys}) != 1:
        raise Unreadable(f"{path} is damaged: expected one key, or two of the same name while one is being replaced")
    return keys


def _origin_of(folder: Path) -> str | None:
    """What the relay's other log is called: both begin with the same."""
    for path in sorted(folder.glob("*.key")):
        return SigningKey.parse(path.read_text("ascii").split()[0]).name.rpartition("/")[0]
    return None


def write_keys(path: Path, keys: tuple[SigningKey, ...]) -> None:
    """Write the file, whole or not at all, for its owner alone."""
    files.write_durably(path, "".join(f"{key.encode()}\n" for key in keys).encode())
