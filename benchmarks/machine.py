"""What the numbers were measured on: without it they mean nothing."""

import os
import platform
import sqlite3
import ssl
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import psutil  # type: ignore[import-untyped]

_PACKAGES = ("uvloop", "mqtt5", "cryptography", "vodozemac", "aiomqtt", "sqlalchemy", "pydantic")
_SYNCS = 200


def describe(folder: Path) -> dict[str, str | int | float]:
    """The machine, its software, and how long `folder`'s disk takes to sync 4 KiB."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "sqlite": sqlite3.sqlite_version,
        "sync_microseconds": round(_sync_time(folder) * 1e6),
        "load_before": round(os.getloadavg()[0], 2),
        **{package: version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    def lines() -> Iterator[str]:
        path = Path("/proc/cpuinfo")
        if path.exists():
            yield from path.read_text().splitlines()

    names = (line.partition(":")[2].strip() for line in lines() if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _sync_time(folder: Path) -> float:
    """Seconds, the median of many: the same call that a commit waits for."""
    path = folder / "sync"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(b"\0" * 4096)
            begin = perf_counter()
            os.fdatasync(file.fileno())
            took.append(perf_counter() - begin)
    path.unlink()
    return sorted(took)[len(took) // 2]
