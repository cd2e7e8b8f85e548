"""What is beside the database in a data directory, and where it has to be afterwards."""

import shutil
from pathlib import Path
from typing import Final

from blindrelay.protocol.clock import Clock
from blindrelay.relay.cluster import identity
from blindrelay.relay.copying.report import Beside
from blindrelay.relay.errors import Unreadable

_KNOWN: Final = (
    (
        ("relay.key", "relay.crt", "registration-code", "desk.key", "desk.crt", "log-keys"),
        "what the relay is known by: a relay that starts on this data directory has it; nodes get it with --identity-dir",
    ),
    (
        ("desk.sqlite", "packages"),
        "the lawful desk's cases and register, and packages that wait: they belong to the relay or the node that has the desk",
    ),
    (
        ("logs",),
        "the public logs as files: one relay goes on with them; of nodes the one with the desk has the log of lawful access",
    ),
    (("blindrelay.toml",), "the configuration: name the new store in it, or give --store"),
    (
        ("witness",),
        "the relay's own witness: one relay goes on with it; nodes have none, and name theirs in [logs] witnesses",
    ),
    (
        ("relay.db",),
        "the old database, untouched, from which nothing is erased any more: delete it, and its backups, when you are sure",
    ),
)


def beside(data: Path) -> tuple[Beside, ...]:
    """What there is in a data directory."""
    found = ((tuple(name for name in names if (data / name).exists()), advice) for names, advice in _KNOWN)
    return tuple(Beside(", ".join(names), advice) for names, advice in found if names)


def make_identity(data: Path, folder: Path, clock: Clock) -> None:
    """Make the identity of nodes out of what a relay of one process is known by. The relay's own files stay.

    Raises `Unreadable`: it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in identity.FILES:
            if (data / name).is_file():
                (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
                shutil.copyfile(data / name, folder / name)
                (folder / name).chmod(0o600)
    except OSError as error:
        raise Unreadable(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    identity.create(folder, clock)
