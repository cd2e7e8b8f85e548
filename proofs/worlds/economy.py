"""What worlds do without, so that hundreds of them are played in minutes. Nothing of it is compared, or used in them."""

import functools
import shutil
from pathlib import Path
from typing import Any, Final

from blindrelay.relay.desk import assembly

#: Two worlds and what they begin as are a few megabytes.
_ROOM: Final = 1 << 28


def economise() -> None:
    """From now on, for relays in this process: policy packs are read once for all of them, and a desk has no door.

    The desk is asked in its own process: its web application would be built for each world, and called in none.
    """
    patched = vars(assembly)
    load: Any = functools.cache(patched["load_policies"])
    patched["load_policies"] = lambda own: load(tuple(own))
    patched["operator_router"] = lambda *_: None
    patched["open_doors"] = _no_doors


def quick_folder() -> str | None:
    """Where files need no disk, if there is such a place with room: worlds sync theirs as the product does."""
    place = Path("/dev/shm")  # noqa: S108 - what is made in it is a folder of our own
    return str(place) if place.is_dir() and shutil.disk_usage(place).free > _ROOM else None


async def _no_doors(*_: object) -> tuple["_NoServer", int]:
    return _NoServer(), 0


class _NoServer:
    """Nothing that listens."""

    async def stop(self) -> None:
        """There is nothing to be stopped."""
