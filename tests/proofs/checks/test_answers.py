"""HTTP answers are of their forms, and have nothing more in them."""

import json
from uuid import uuid4

import pytest

from blindrelay.proofs.checks import answers
from blindrelay.proofs.evidence.http import Exchanged
from support.proofs import reasons, report_for

RELAY = {"id": "r" * 16, "version": "0.1.0", "certificate": "", "jurisdictions": ["us"]}
CASE = f"/v1/operator/cases/{uuid4()}"
TRAFFIC = {
    "record": "traffic", "message_id": "0" * 32, "sender_id": 1, "recipient_id": 2, "accepted": "2026-01-01T00:00:00Z",
    "size": 2_048,
}  # fmt: skip
EVENT = f"id: 4\nevent: traffic\ndata: {json.dumps(TRAFFIC)}\n\n"


def answered(
    path: str, media_type: str, body: str = "", status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> list[str]:
    """The reasons for which something is found in an answer."""
    report = report_for("inventory")
    exchanged = Exchanged(f"GET {path}", "GET", path, status, (("content-type", media_type), *headers), body.encode())
    answers.hold(exchanged, report)
    return reasons(report)


PROBLEM = json.dumps({"type": "urn:blindrelay:problem:internal", "title": "t", "status": 500, "detail": "d"})


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/logs/directory/checkpoint", "text/plain", "relay/directory\n1\n"),
        ("/logs/lawful-access/tile/0/000.p/3", "application/octet-stream", "\0"),
        ("/v1/packages", "application/vnd.blindrelay.package", "sealed"),
        ("/v1/streams", "text/event-stream", f":\n\n{EVENT}"),
    ],
)
def test_what_there_is(path: str, media_type: str, body: str) -> None:
    """Nothing is found in it."""
    assert answered(path, media_type, body) == []


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/debug/messages", "application/json", "{}"),
        ("/v1/relay", "text/html", "hello"),
        ("/v1/relay", "application/json", '{"hint": "Figures"}'),
        ("/v1/status", "application/json", "[]"),
        ("/v1/streams", "text/event-stream", f"{EVENT}data: Figures\n\n"),
        ("/v1/streams", "text/event-stream", f"{EVENT}: a comment\n\n"),
        ("/v1/streams", "text/event-stream", f"{EVENT}retry: Figures\n\n"),
        ("/logs/directory/messages", "text/plain", "Figures"),
    ],
)
def test_what_there_is_not(path: str, media_type: str, body: str) -> None:
    """Another address, another kind of content, another form, or a line that events do not have."""
    assert answered(path, media_type, body) == ["http-field"]


def test_a_header_that_is_not_known() -> None:
    """Whatever is said in it."""
    assert answered("/v1/packages", "application/vnd.blindrelay.package", headers=(("x-trace", "1"),)) == ["http-field"]


def test_a_refusal_is_a_problem_and_nothing_else() -> None:
    """For every address, also for one that there is not."""
    assert answered("/nothing", "application/problem+json", PROBLEM, 404) == []
    assert answered("/v1/relay", "text/plain", "Traceback", 500) == ["http-field"]
    more = json.dumps(json.loads(PROBLEM) | {"trace": "Figures"})
    assert answered("/v1/relay", "application/problem+json", more, 500) == ["http-field"]


@pytest.mark.parametrize(
    ("found", "known", "more"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"a": 1}, ["b"]),
        ({"a": {"b": 1}}, {"a": {}}, ["a.b"]),
        ({"a": [{"b": 1}, {"b": 1, "c": 2}]}, {"a": [{"b": 1}, {"b": 1}]}, ["a.c"]),
    ],
)
def test_what_is_read_and_not_written_again(found: object, known: object, more: list[str]) -> None:
    """However deep it is: a form that does not forbid more would let it pass."""
    assert answers._more(found, known) == more
