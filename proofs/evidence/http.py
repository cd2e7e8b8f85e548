"""What was asked and answered over HTTPS, from recorded connections."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import h11

from blindrelay.proofs.evidence.folder import Connection, Evidence


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A request and its answer. `headers` are the answer's, names in lower case."""

    where: str
    method: str
    path: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """Of the answer, without parameters."""
        found = dict(self.headers).get("content-type", "")
        return found.partition(";")[0].strip()


def exchanges(evidence: Evidence) -> Iterator[Exchanged]:
    """All of them, in the order of their connections; what was cut off is left out."""
    for connection in evidence.connections:
        if connection.service != "mqtt":
            yield from _exchanges(connection)


def _exchanges(connection: Connection) -> Iterator[Exchanged]:
    requests = _messages(h11.SERVER, b"".join(connection.tls.sent), ())
    methods = [request.method.decode() for request, _ in requests]
    answers = _messages(h11.CLIENT, b"".join(connection.tls.answered), methods)
    for (request, _), (answer, body) in zip(requests, answers, strict=False):
        method, path = request.method.decode(), request.target.decode()
        headers = tuple((name.decode().lower(), value.decode("latin-1")) for name, value in answer.headers)
        where = f"{method} {path} (connection {connection.name})"
        yield Exchanged(where, method, path.partition("?")[0], answer.status_code, headers, body)


def _messages(side: Any, data: bytes, methods: Any) -> list[tuple[Any, bytes]]:
    """Heads and bodies of one direction. The other direction is played by us, so that the parser knows what to expect."""
    found: list[tuple[Any, bytes]] = []
    parser = h11.Connection(side)
    parser.receive_data(data)
    waiting = list(methods)
    head, body = None, b""
    try:
        _begin(parser, side, waiting)
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.Request | h11.Response):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                found.append((head, body))
                if side is h11.SERVER:
                    parser.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                    parser.send(h11.EndOfMessage())
                parser.start_next_cycle()
                _begin(parser, side, waiting)
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        pass
    if head is not None and body and (not found or found[-1][0] is not head):
        found.append((head, body))  # a stream that was hung up on
    return found


def _begin(parser: Any, side: Any, waiting: list[str]) -> None:
    if side is h11.CLIENT and waiting:
        parser.send(h11.Request(method=waiting.pop(0), target="/", headers=[("host", "relay")]))
        parser.send(h11.EndOfMessage())
