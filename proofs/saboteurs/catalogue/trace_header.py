"""The desk answers with a header that says which process has answered, and how busy it was.

Modelled on headers of proxies and tracing systems that end up with strangers (`X-Served-By`, `Server-Timing`,
`traceparent`).
"""

import os
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from fastapi import FastAPI

    begin = FastAPI.__init__

    def traced(self: FastAPI, **options: Any) -> None:
        begin(self, **options)

        @self.middleware("http")
        async def trace(request: Any, call_next: Any) -> Any:
            answer = await call_next(request)
            answer.headers["x-served-by"] = str(os.getpid())
            return answer

    FastAPI.__init__ = traced


SABOTEUR = Saboteur(
    name="trace-header",
    title="the desk's answers have one more header",
    lock=Lock.FORM,
    modelled_on="headers that proxies and tracing systems add (OWASP WSTG-INFO-02)",
    caught_by=frozenset({("inventory", "http-field")}),
    shows_in=(
        Stage.WAIT,
        Stage.ASK,
    ),
    in_relay=_in_relay,
)
