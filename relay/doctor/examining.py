"""Every check, in the order in which a reader wants them."""

import sqlite3
from collections.abc import Iterator
from typing import Final

from blindrelay.protocol.errors import BlindrelayError
from blindrelay.relay.doctor import logs, machine, store
from blindrelay.relay.doctor.model import Check, Finding, Grade, Patient

#: By the name of what they look at.
CHECKS: Final[dict[str, Check]] = {
    "permissions": machine.permissions,
    "disk": machine.disk,
    "clock": machine.clock,
    "certificates": machine.certificates,
    "ports": machine.ports,
    "open files": machine.open_files,
    "store": store.store,
    "logs": logs.logs,
    "backup": store.backup,
}


def examine(patient: Patient) -> Iterator[tuple[str, Finding]]:
    """What each check found. One that cannot look says so, and the next one goes on."""
    for name, check in CHECKS.items():
        try:
            for finding in check(patient):
                yield name, finding
        except (OSError, sqlite3.Error, BlindrelayError, ValueError, TypeError) as error:
            yield (
                name,
                Finding(
                    Grade.UNKNOWN,
                    f"it cannot be looked at: {error}",
                    "run the doctor as the user that the relay runs as",
                ),
            )
