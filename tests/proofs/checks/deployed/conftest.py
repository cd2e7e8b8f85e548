"""Relays to alter, each test its own."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.one_proof import OneProof
from support.somebody import Somebody


@pytest.fixture
def somebody(proved: OneProof, tmp_path: Path) -> Callable[[str], Somebody]:
    """A relay at a moment of the run: `waiting`, `delivered` or `aged`."""

    def at(moment: str) -> Somebody:
        data = tmp_path / moment
        shutil.copytree(proved.disk(moment), data, ignore=shutil.ignore_patterns("relay.db-reserve"))
        then = next(each["at"] for each in proved.manifest["moments"] if each["name"] == moment)
        _written_until(then, data)
        return Somebody(data, then + 1)

    return at


def _written_until(then: float, folder: Path) -> None:
    """Move the times of files: the run's clock is ahead of the machine's, by up to an hour and in the end by a month."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    ahead = then - max(path.stat().st_mtime for path in files)
    for path in files:
        at = path.stat().st_mtime + ahead
        os.utime(path, (at, at))


@pytest.fixture
def waiting(somebody: Callable[[str], Somebody]) -> Somebody:
    """Letters wait in it."""
    return somebody("waiting")


@pytest.fixture
def delivered(somebody: Callable[[str], Somebody]) -> Somebody:
    """They have been fetched, and authorities have asked for everything."""
    return somebody("delivered")


@pytest.fixture
def aged(somebody: Callable[[str], Somebody]) -> Somebody:
    """A month later."""
    return somebody("aged")
