"""Putting the doors together: what `server.Relay` calls when it has a desk."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter

from blindrelay.policies.exchange import RelayIdentity
from blindrelay.protocol.clock import Clock
from blindrelay.relay.desk.authentication import Authentication
from blindrelay.relay.desk.http.application import Doors, application
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.desk.http.ports import AuthorityDesk
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.register import Register
from blindrelay.relay.desk.seen import SeenCalls
from blindrelay.relay.https import HttpsServer


@dataclass(frozen=True, slots=True)
class Place:
    """Where the doors are, and the relay's own TLS certificate and key."""

    host: str
    port: int  #: 0: a free one
    certificate: Path
    key: Path


def doors_of(  # noqa: PLR0913 - the parts of a desk, each by name
    desk: AuthorityDesk,
    *,
    journal: Journal,
    register: Register,
    identity: DeskIdentity,
    jurisdictions: tuple[str, ...],
    clock: Clock,
    version: str,
    operators: APIRouter | None = None,
    limits: DoorLimits | None = None,
) -> Doors:
    """The doors of a desk.

    Args:
        desk: who answers.
        journal: where calls are remembered that have been made.
        register: whose calls count.
        identity: who the relay is.
        jurisdictions: of which it has policies.
        clock: of everything.
        version: of this program.
        operators: the operators' routes.
        limits: other ones than the ordinary.
    """
    return Doors(
        desk=desk,
        authentication=Authentication(register, SeenCalls(journal), identity.id, clock),
        relay=RelayIdentity(
            id=identity.id, version=version, certificate=identity.pem, jurisdictions=tuple(sorted(jurisdictions))
        ),
        clock=clock,
        limits=limits or DoorLimits(),
        operators=operators,
    )


async def open_doors(doors: Doors, place: Place) -> tuple[HttpsServer, int]:
    """Serve the doors; return the server, to be stopped, and its port.

    Raises:
        AddressInUse: the port is taken.
        Unreadable: certificate or key cannot be used.
    """
    _, app = application(doors)
    server = HttpsServer(app, doors.limits, "the desk", "https_port below [desk]")
    return server, await server.start(place.host, place.port, place.certificate, place.key)
