"""Evidence: why one need not believe it. The page checks the logs by itself; here is what it checks, and what was tried."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from blindrelay.console.access import needs
from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import Right
from blindrelay.console.sessions import Session
from blindrelay.console.view import View

Watcher = Annotated[Session, needs(Right.SEE_EVIDENCE)]
Prover = Annotated[Session, needs(Right.PROVE)]


def routes(desktop: Desktop) -> APIRouter:
    """What the page asks for."""
    router = APIRouter()

    @router.get("/logs/{log}/{path:path}")
    async def log_file(log: str, path: str, session: Watcher) -> Response:
        """A file of a public log, as the relay serves it: checkpoint, policy, tile, or entries."""
        del session
        return Response(await desktop.log_files.fetch(log, path), media_type="application/octet-stream")

    @router.get("/enrolled")
    async def enrolled(session: Watcher) -> dict[str, dict[str, str]] | None:
        """By enterprise of the demonstration, SHA-256 of each certificate that it has issued, and for which device."""
        del session
        demonstration = desktop.demonstration
        return None if demonstration is None else demonstration.cast.enrolled

    @router.get("/proof")
    async def proof(session: Watcher) -> dict[str, Any]:
        """The last proof: the one that was carried out here, else the one of the file that the console was given."""
        del session
        errand = desktop.proof.state()
        given = None if errand["told"] else await _read(desktop.proof_file)
        return {**errand, "last": errand["told"][-1] if errand["told"] else given}

    @router.post("/proof", status_code=204)
    async def prove(session: Prover) -> None:
        """Carry a quick proof out. It takes about a minute."""
        del session
        desktop.proof.start()

    @router.get("/matrix")
    async def matrix(session: Watcher) -> dict[str, Any] | None:
        """The kill matrix of the file that the console was given: deliberate leaks, and who found them."""
        del session
        return await _read(desktop.matrix_file)

    @router.get("/attacks")
    async def attacks(session: Watcher) -> dict[str, Any]:
        """What a malicious relay can try, each carried out on real clients, and who noticed it."""
        del session
        return desktop.attacks.state()

    @router.post("/attacks", status_code=204)
    async def attack(session: Prover) -> None:
        """Carry all of them out, each in a world of its own."""
        del session
        desktop.attacks.start()

    return router


async def _read(file: Path | None) -> dict[str, Any] | None:
    """What a program has written; None when there is nothing that could be read."""
    if file is None:
        return None
    try:
        value = json.loads(await asyncio.to_thread(file.read_bytes))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


VIEW: Final = View(
    name="evidence",
    title="Evidence",
    summary="Why you need not take our word: logs that your own browser checks, proofs, and attacks that were noticed.",
    needs=Right.SEE_EVIDENCE,
    routes=routes,
)
