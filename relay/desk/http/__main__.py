"""Writes the OpenAPI document to the file that is named, or to stdout."""

import json
import sys
from pathlib import Path
from typing import Any

from blindrelay.policies.exchange import RelayIdentity
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.desk.http.application import Doors, application
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.desk.http.openapi import document
from blindrelay.relay.desk.http.operators import operator_router


class _Nobody:
    """Who stands behind the routes while they are described."""


def described() -> dict[str, Any]:
    """The document. The routes are described and not called, so that nobody has to be behind them."""
    nobody: Any = _Nobody()
    doors = Doors(
        desk=nobody,
        authentication=nobody,
        relay=RelayIdentity(id="none", version="none", certificate="none", jurisdictions=()),
        clock=SystemClock(),
        limits=DoorLimits(),
        operators=operator_router(nobody, nobody, nobody),
    )
    app, _ = application(doors)
    return document(app)


def text() -> str:
    """The document as it is kept in the reference."""
    return json.dumps(described(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())
