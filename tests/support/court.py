"""A court that asks a relay, on the command line, and the people at the desk who answer."""

import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blindrelay.cli.operator_line import OperatorLine
from blindrelay.policies.exchange import AuthorityCard
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.operators import Operators
from blindrelay.relay.desk.register import Register

from .commands import Ran

Run = Callable[..., Ran]
ORDER = (
    "--instrument", "us/d-order", "--reference", "26-cv-1", "--issuer", "judge", "--issuer-name", "Hon. J. Doe",
    "--valid-from", "-1d", "--valid-until", "+30d", "--purpose", "investigate", "--offence-years", "5",
)  # fmt: skip
TRAFFIC = ("--class", "TRAFFIC", "--target", "bob@acme.example", "--from", "-7d", "--until", "+1h")
COURT = ("--title", "District Court", "--officer", "J. Doe", "--jurisdiction", "us", "--kind", "judge")


def enter(folder: Path, card: Path) -> None:
    """What the relay's operator does who believes a card."""
    with contextlib.closing(Journal.open(folder)) as journal:
        read = AuthorityCard.model_validate_json(card.read_bytes())
        Register(journal).enter(
            read, jurisdiction=read.jurisdiction, kind=read.kind, entered_by="ada", at=datetime.now(UTC)
        )


def lines_of_operators(folder: Path) -> list[OperatorLine]:
    """Two persons at the desk."""
    endpoint = Endpoint.read(folder / FILE_NAME)
    with contextlib.closing(Journal.open(folder)) as journal:
        people = Operators(journal)
        tokens = [people.add(f"p{os.urandom(4).hex()}", at=datetime.now(UTC)) for _ in range(2)]
    assert endpoint.desk_port is not None
    ca = (folder / "relay.crt").read_text()
    return [OperatorLine(endpoint.host, endpoint.desk_port, ca, token) for token in tokens]


def released(court: Run, relay: Path) -> dict[str, Any]:
    """A case whose package has been released."""
    case: dict[str, Any] = json.loads(court("request", *ORDER, *TRAFFIC, "--json").out)
    for line in lines_of_operators(relay):
        line.post(f"/cases/{case['case_id']}/approvals", {"demand_id": "d1"})
    return case
