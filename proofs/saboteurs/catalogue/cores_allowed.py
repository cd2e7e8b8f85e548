"""The relay does not forbid the kernel to write its memory to a file.

Modelled on CWE-528, core files that others can read: the programs that collect them (abrt and Apport, CVE-2015-1318
and others) had bug after bug, and keep what a process knew on a disk for years.
"""

import resource

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    limit = resource.setrlimit

    def but_for_cores(which: int, limits: tuple[int, int]) -> None:
        if which == resource.RLIMIT_CORE:
            hard = resource.getrlimit(which)[1]
            limits = (hard, hard)
        limit(which, limits)

    resource.setrlimit = but_for_cores


SABOTEUR = Saboteur(
    name="cores-allowed",
    title="the kernel may write the relay's memory to a file",
    lock=Lock.KEYS,
    modelled_on="core files that others can read (CWE-528; Apport, CVE-2015-1318)",
    caught_by=frozenset({("canary", "core")}),
    in_relay=_in_relay,
)
