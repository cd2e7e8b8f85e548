"""Somebody who reads the public log `directory`, from outside: an auditor, and an enterprise's monitor."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from blindrelay.clients.auditor.address import LogsAddress
from blindrelay.clients.auditor.log import PublicLog, open_log
from blindrelay.clients.auditor.monitor import Monitor
from blindrelay.clients.auditor.watch import Own
from blindrelay.clients.enterprise.ca import Authority, Certificates
from blindrelay.clients.errors import LogRejected
from blindrelay.proofs.attacks.model import Noticed
from blindrelay.proofs.attacks.stage import Stage
from blindrelay.protocol.transparency.directory import NAME

AUDITOR = "an auditor"


@asynccontextmanager
async def public_log(stage: Stage) -> AsyncIterator[PublicLog]:
    """The log over HTTPS, as somebody reads it who remembers what it was the last time."""
    relay = stage.relay
    policies = {NAME: str(relay.directory_log.log.settings.trust)}
    address = LogsAddress(relay.host, relay.logs_port, relay.certificate.read_bytes(), policies)
    async with open_log(address, NAME, stage.folder / "auditor", clock=stage.clock) as log:
        yield log


async def audit(stage: Stage) -> Noticed | None:
    """An auditor reads the whole log."""
    try:
        async with public_log(stage) as log:
            reading = await log.newest()
            async with aclosing(reading.tree.entries()) as entries:
                count = sum([1 async for _ in entries])
    except LogRejected as error:
        return stage.notice(AUDITOR, error.check, str(error))
    stage.tell(AUDITOR, f"has read {count} entries, and found nothing wrong")
    return None


async def watch(stage: Stage, authority: Authority) -> Noticed | None:
    """An enterprise's monitor looks at what is new about the enterprise, with the CA's books beside it."""
    books = Certificates(authority.root, tuple(authority._issued), frozenset())
    async with public_log(stage) as log:
        monitor = Monitor(log, authority.tenant, lambda: Own.of_enterprise(books))
        async with aclosing(monitor.look()) as looked:
            async for _ in looked:
                pass
    party = f"{authority.tenant}'s monitor"
    if not monitor.findings:
        stage.tell(party, "has found nothing that is not the enterprise's own")
        return None
    found = monitor.findings[0]
    return stage.notice(party, found.check, found.reason)
