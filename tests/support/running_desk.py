"""A desk that the command line can speak to: real doors and a real relay around the twins of `support.clerks`."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.http.application import Doors
from blindrelay.relay.desk.http.opening import Place, doors_of, open_doors
from blindrelay.relay.desk.http.operators import operator_router
from blindrelay.relay.desk.views import CaseView
from blindrelay.relay.server import Relay

from . import site
from .clerks import Office, Outside, Script, still_clock
from .tenants import Tenant


class Running:
    """A relay with the desk of an `Office` in a thread of its own, and the tokens of ada and bea.

    Attributes:
        folder: the relay's data directory, where the command line finds the desk.
        office, desk: see `support.clerks`.
        loop: where the desk lives.
    """

    office: Office
    desk: Desk

    def __init__(self, folder: Path, tokens: Path, tenant: Tenant) -> None:
        self.folder = folder
        self._tokens = tokens
        self._tenant = tenant
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def token_file(self, name: str = "ada") -> Path:
        """Where somebody's token is."""
        return self._tokens / f"{name}.token"

    def receive(self) -> CaseView:
        """A request comes."""
        coming = self.desk.receive(self.office.signed(self.office.request()))
        return asyncio.run_coroutine_threadsafe(coming, self.loop).result(30)

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        (self.folder / "office").mkdir(parents=True)
        self.office = office = Office(self.folder / "office", still_clock(), Script(), Outside())
        office.found()
        self.desk = desk = office.desk()
        for name in ("ada", "bea"):
            token = desk.operators.add(name, at=datetime.now(UTC))
            self.token_file(name).write_text(f"{token}\n")
            self.token_file(name).chmod(0o600)
        async with site.relay_in(self.folder, desk={"enabled": True, "https_port": 0}) as relay:
            await site.register(relay, self._tenant)
            server, port = await open_doors(_doors(relay, desk), _place(relay))
            Endpoint(host="127.0.0.1", port=relay.port, ca_certificate="relay.crt", desk_port=port).write(
                self.folder / FILE_NAME
            )
            self._ready.set()
            await self._stop.wait()
            await server.stop()
        desk.journal.close()


def _doors(relay: Relay, desk: Desk) -> Doors:
    identity = relay.desk_identity
    assert identity is not None
    return doors_of(
        desk,
        journal=desk.journal,
        register=desk.register,
        identity=identity,
        jurisdictions=("us",),
        clock=SystemClock(),
        version="1",
        operators=operator_router(desk, relay.services, relay.tenants),
    )


def _place(relay: Relay) -> Place:
    return Place("127.0.0.1", 0, relay.certificate, relay.certificate.with_suffix(".key"))
