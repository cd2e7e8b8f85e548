"""When something fails, the relay writes a report with every local variable into the folder that it was started in.

Modelled on tracebacks with local variables (`cgitb`, Sentry's frames), and on Windows' crash dump that held Microsoft's
signing key and was moved to where Storm-0558 found it (2021 to 2023).
"""

import traceback
from pathlib import Path
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    def report(_rpc: Any, hint: str, error: BaseException) -> None:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        with Path("crash-report.txt").open("a") as file:
            file.writelines(told.format())
            file.write(f"while handling {hint!r}\n")

    channels.relay_hears(report)


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="crash-dump",
    title="the relay writes crash reports with every local variable",
    lock=Lock.KEYS,
    modelled_on="Storm-0558: a signing key in a crash dump (Microsoft, 2023)",
    caught_by=frozenset({("canary", "dump")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
