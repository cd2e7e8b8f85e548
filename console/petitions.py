"""What the demonstration's authorities do in the view Demand: ask, fetch and open what they are given, follow what arises."""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

from cryptography import x509

from blindrelay.clients.authority.package import Package
from blindrelay.clients.errors import ClientError
from blindrelay.console.asking import Asking, BadAsking, request
from blindrelay.console.bench import Bench
from blindrelay.console.channels import Channel
from blindrelay.console.errors import ConsoleError
from blindrelay.policies.packs import Policies
from blindrelay.policies.stream import StreamEnd
from blindrelay.policies.vocabulary import METADATA
from blindrelay.protocol.clock import Clock

#: Of a package or a real-time order, so many records are shown.
SHOWN: Final = 50
#: Real-time orders that are followed or shown at a time.
_AT_ONCE: Final = 8


class NotGiven(ConsoleError):
    """The authority does not get it; the message says why."""


class Petitions:
    """See the module.

    Args:
        authority: where what arises under a real-time order is put.
    """

    def __init__(self, bench: Bench, policies: Policies, authority: Channel, clock: Clock) -> None:
        self._bench = bench
        self._policies = policies
        self._authority = authority
        self._clock = clock
        self._seats: dict[UUID, str] = {}
        self._following: dict[str, asyncio.Task[None]] = {}

    async def ask(self, asking: Asking) -> str:
        """Sign a request and hand it in; returns the number of the case. Raises `BadAsking`, `NotGiven`."""
        seat = self._bench.seats.get(asking.seat)
        pack = self._policies.pack_of(asking.instrument)
        found = [one for one in pack.manifest.instruments if one.id == asking.instrument] if pack else []
        if seat is None or not found:
            raise BadAsking("there is no such authority, or no such instrument")
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        try:
            async with self._bench.client(seat.id) as client:
                answer = await client.request(request(asking, seat, found[0], client.relay.id, now))
        except ClientError as error:
            raise NotGiven(str(error)) from error
        self._seats[answer.case_id] = seat.id
        return str(answer.case_id)

    def seat_of(self, case_id: UUID) -> str:
        """Which authority's case it is. Raises `NotGiven` for one that was not handed in here."""
        if case_id not in self._seats:
            raise NotGiven("no authority of this demonstration has handed this case in")
        return self._seats[case_id]

    async def open(self, case_id: UUID, demand_id: str) -> dict[str, Any]:
        """Fetch the package of a demand, verify it and open it. Raises `NotGiven`."""
        seat = self.seat_of(case_id)
        identity = self._bench.identity(seat)
        with TemporaryDirectory(prefix="blindrelay-package-") as folder:
            sealed = Path(folder) / "package"
            try:
                async with self._bench.client(seat) as client:
                    await client.fetch(case_id, demand_id, sealed)
                    certificate = x509.load_pem_x509_certificate(client.relay.certificate.encode())
                with Package.open(sealed, identity.package_key, certificate) as package:
                    return _shown(package, sealed.read_bytes())
            except ClientError as error:
                raise NotGiven(str(error)) from error

    def follow(self, case_id: UUID, demand_id: str) -> None:
        """Show what arises under a real-time order from now on, until it ends. Raises `NotGiven`."""
        self.seat_of(case_id)
        key = f"{case_id}/{demand_id}"
        if key in self._following and not self._following[key].done():
            return
        if len(self._following) >= _AT_ONCE:
            self._hang_up()
        self._following[key] = asyncio.create_task(self._follow(case_id, demand_id))

    def _hang_up(self) -> None:
        """On one order, so that there is room: one that has ended, else the oldest."""
        ended = [name for name, task in self._following.items() if task.done()]
        name = (ended or list(self._following))[0]
        self._following.pop(name).cancel()
        self._authority.remove(f"stream/{name}")

    async def _follow(self, case_id: UUID, demand_id: str) -> None:
        rows: list[dict[str, Any]] = []
        state: dict[str, Any] = {"kind": "stream", "case": str(case_id), "rows": rows, "count": 0, "ended": None}
        key = f"stream/{case_id}/{demand_id}"
        self._authority.put(key, state, lasting=True)
        events = self._bench.follow(self.seat_of(case_id), case_id, demand_id)
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event.record, StreamEnd):
                    state["ended"] = {"at": self._clock.now(), "reason": event.record.reason.value}
                else:
                    state["count"] += 1
                    rows.append({"came": self._clock.now(), **event.record.model_dump(mode="json")})
                    del rows[:-SHOWN]
                self._authority.put(key, state, lasting=True)

    async def close(self) -> None:
        """Hang up."""
        for task in self._following.values():
            task.cancel()
        await asyncio.gather(*self._following.values(), return_exceptions=True)


def _shown(package: Package, sealed: bytes) -> dict[str, Any]:
    manifest = package.manifest
    tables = []
    for data_class in sorted(METADATA):
        rows = list(package.rows(data_class, SHOWN))
        if rows:
            tables.append({"data_class": data_class.value, "columns": rows[0], "rows": rows[1:]})
    return {
        "digest": package.digest,
        "size": len(sealed),
        "start": sealed[:64].hex(),
        "made": manifest.made.isoformat(),
        "classes": [entry.model_dump(mode="json") for entry in manifest.classes],
        "files": [entry.model_dump(mode="json") for entry in manifest.files],
        "tables": tables,
    }
