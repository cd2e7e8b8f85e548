"""`/status`: how a relay does, for people and programs: what `blindrelay status` shows."""

import math
from base64 import b64encode
from typing import Annotated

from pydantic import Field

from blindrelay import __version__
from blindrelay.protocol.statements import Wire
from blindrelay.relay.operations.view import View

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class LogState(Wire):
    """A public log: what it shows. `cosigned_at`: when the witness that is furthest behind has; None without any."""

    name: str
    entries: Count
    root: Annotated[str, Field(description="SHA-256, in base64")]
    cosigned_at: float | None
    witnesses: Count
    failing: bool


class Commits(Wire):
    """How long commits take, since the start: half of them, and 99 of 100, took no longer than this. None: there was none."""

    count: Count
    half: Seconds | None
    most: Seconds | None


class Report(Wire):
    """See the module. Times are seconds since the epoch. `waiting` is None at one of several nodes: the database knows."""

    version: str
    began_at: float
    now: float
    ready: bool
    fault: str | None
    connections: dict[str, Count]
    waiting: Count | None
    waiting_bytes: Count | None
    queue_bytes: Count
    accepted: Count
    delivered: Count
    refused: Count
    commits: Commits
    tenants: Count
    devices: Count
    store_bytes: dict[str, Count]
    free_bytes: Count
    retention_ran_at: float | None
    retention_deleted: Count
    logs: list[LogState]


async def report(view: View) -> Report:
    """How it does now."""
    counts, (tenants, devices) = view.exchange.counts, view.accounts.size
    waiting, waiting_bytes = view.accounts.waiting() or (None, None)
    fault = await view.unready()
    deleted = view.retention.deleted
    return Report(
        version=__version__,
        began_at=view.began_at,
        now=view.clock.now(),
        ready=fault is None,
        fault=fault,
        connections=dict(view.exchange.kinds()),
        waiting=waiting,
        waiting_bytes=waiting_bytes,
        queue_bytes=view.exchange.undecided(),
        accepted=counts.accepted,
        delivered=counts.delivered,
        refused=counts.refused.total(),
        commits=Commits(
            count=counts.commits.count,
            half=_finite(counts.commits.quantile(0.5)),
            most=_finite(counts.commits.quantile(0.99)),
        ),
        tenants=tenants,
        devices=devices,
        store_bytes=view.sizes(),
        free_bytes=view.free(),
        retention_ran_at=view.retention.ran_at,
        retention_deleted=deleted.traffic + deleted.access + deleted.recent_ids,
        logs=_logs(view),
    )


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: beyond the last bound is a minute."""
    return 60.0 if value is not None and math.isinf(value) else value


def _logs(view: View) -> list[LogState]:
    return [
        LogState(
            name=name,
            entries=log.published.checkpoint.size,
            root=b64encode(log.published.checkpoint.root).decode(),
            cosigned_at=log.cosigned_at(),
            witnesses=len(log.settings.trust.witnesses),
            failing=log.is_failing,
        )
        for name, log in view.logs.items()
    ]
