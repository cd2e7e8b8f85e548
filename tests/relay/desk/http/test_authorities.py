"""The authorities' routes over a whole desk: what comes of a request, and what nobody else gets to see."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from blindrelay.policies.exchange import CaseAnswer, Problem, RelayIdentity
from blindrelay.policies.vocabulary import CaseState, Ground, Outcome, TaskStatus
from blindrelay.relay.desk.errors import NotRecorded
from blindrelay.relay.desk.http.authorities import EVENTS, PACKAGE
from blindrelay.relay.desk.problems import PROBLEM_JSON
from support.authorities import Caller
from support.clerks import refused
from support.desk_site import DeskSite, call, desk_in, policies

DAY = timedelta(days=1)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[DeskSite]:
    """A desk that grants what is asked for."""
    site = desk_in(tmp_path)
    await site.desk.start()
    yield site
    await site.desk.close()


@pytest.fixture
async def lawful(tmp_path: Path) -> AsyncIterator[DeskSite]:
    """A desk that decides by the policies."""
    site = desk_in(tmp_path, decided_by=policies())
    await site.desk.start()
    yield site
    await site.desk.close()


@pytest.fixture
async def http(site: DeskSite) -> AsyncIterator[httpx.AsyncClient]:
    async with site.http() as http:
        yield http


async def handed_in(site: DeskSite, http: httpx.AsyncClient, **changes: object) -> CaseAnswer:
    answer = await call(http, "/v1/requests", site.court.hand_in(**changes))
    assert answer.status_code == 200, answer.text
    return CaseAnswer.model_validate_json(answer.content)


async def released(site: DeskSite, http: httpx.AsyncClient) -> CaseAnswer:
    """A case whose package two persons have released, as persons do: over HTTP."""
    answer = await handed_in(site, http)
    for token in (site.token, site.second_token):
        approved = await http.post(
            f"/v1/operator/cases/{answer.case_id}/approvals",
            json={"demand_id": "d1"},
            headers={"authorization": f"Bearer {token}"},
        )
        assert approved.status_code == 200, approved.text
    return await status(site.court, http, answer)


async def test_what_nobody_has_expected_is_a_problem_that_tells_nothing(
    site: DeskSite, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours reads like every other refusal, and has a line in the log."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("alice@acme.example wrote to bob@globex.example")

    monkeypatch.setattr(site.desk, "receive", broken)
    with capture_logs() as lines:
        answer = await call(http, "/v1/requests", site.court.hand_in())

    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.type) == (500, "urn:blindrelay:problem:internal")
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert "acme" not in answer.text
    assert [line["event"] for line in lines] == ["request failed"]


async def status(caller: Caller, http: httpx.AsyncClient, case: CaseAnswer) -> CaseAnswer:
    answer = await call(http, "/v1/status", caller.call("status", {"case_id": str(case.case_id)}))
    return CaseAnswer.model_validate_json(answer.content)


def fetch(caller: Caller, case_id: object, demand: str = "d1", **changes: object) -> bytes:
    return caller.call("fetch", {"case_id": str(case_id), "demand_id": demand}, **changes)


async def test_anybody_may_ask_who_the_relay_is(site: DeskSite, http: httpx.AsyncClient) -> None:
    """Its id, its certificate, and the jurisdictions it has policies of."""
    answer = RelayIdentity.model_validate_json((await http.get("/v1/relay")).content)

    assert answer.id == site.court.relay_id
    assert answer.certificate.startswith("-----BEGIN CERTIFICATE-----")
    assert answer.jurisdictions == ("us",)


async def test_a_request_is_decided_at_once(site: DeskSite, http: httpx.AsyncClient) -> None:
    """The answer has each demand's outcome, who decided it, and the letter; the case is there from then on."""
    answer = await handed_in(site, http)

    assert answer.state is CaseState.DECIDED
    assert [demand.outcome for demand in answer.demands] == [Outcome.GRANTED]
    assert answer.demands[0].classes[0].reasons[0].policy == "test/why"
    assert answer.letter == "d1: granted"
    assert not answer.demands[0].package_is_ready
    assert await status(site.court, http, answer) == answer


async def test_the_same_request_again_is_the_same_case(site: DeskSite, http: httpx.AsyncClient) -> None:
    """A client that did not hear the answer signs the same document anew, and gets the case that it has."""
    document = site.court.request()
    first = await call(http, "/v1/requests", site.court.call("request", document))
    again = await call(http, "/v1/requests", site.court.call("request", document))

    assert first.json()["case_id"] == again.json()["case_id"]
    other = await call(
        http, "/v1/requests", site.court.call("request", {**document, "timestamp": "2026-03-01T00:00:00Z"})
    )
    assert (other.status_code, other.json()["type"]) == (409, "urn:blindrelay:problem:conflict")


async def test_a_package_is_handed_over_once_for_each_signed_call(site: DeskSite, http: httpx.AsyncClient) -> None:
    """Released by two persons, it is fetched; the same call gets nothing more, a new one gets it again."""
    case = await released(site, http)
    assert case.demands[0].status is TaskStatus.DISCLOSED
    assert [item.status for item in case.demands[0].classes] == [TaskStatus.DISCLOSED]
    assert case.demands[0].package_is_ready
    token = fetch(site.court, case.case_id)

    first, again = await call(http, "/v1/packages", token), await call(http, "/v1/packages", token)
    anew = await call(http, "/v1/packages", fetch(site.court, case.case_id))

    assert (first.status_code, first.headers["content-type"]) == (200, PACKAGE)
    assert first.content == anew.content == f"{case.case_id}/d1 us-court".encode()
    assert first.headers["content-length"] == str(len(first.content))
    assert (again.status_code, again.json()["type"]) == (409, "urn:blindrelay:problem:replayed")


async def test_what_has_not_been_released_is_not_there(site: DeskSite, http: httpx.AsyncClient) -> None:
    """Before two persons have approved there is nothing to fetch, for a demand that there is and for one that there is not."""
    case = await handed_in(site, http)

    answers = [await call(http, "/v1/packages", fetch(site.court, case.case_id, demand)) for demand in ("d1", "d9")]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    ("path", "purpose", "more"),
    [
        ("/v1/status", "status", {}),
        ("/v1/withdrawals", "withdraw", {}),
        ("/v1/packages", "fetch", {"demand_id": "d1"}),
        ("/v1/streams", "stream", {"demand_id": "d1"}),
    ],
)
async def test_an_authority_cannot_tell_anothers_case_from_none(
    site: DeskSite, http: httpx.AsyncClient, path: str, purpose: str, more: dict[str, str]
) -> None:
    """Somebody else's case is answered as one that does not exist, to the byte; and nothing happens to it."""
    case = await released(site, http)

    theirs = await call(http, path, site.police.call(purpose, {"case_id": str(case.case_id), **more}))
    nobodys = await call(http, path, site.police.call(purpose, {"case_id": str(uuid4()), **more}))

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.content == nobodys.content
    assert {**theirs.headers, "date": ""} == {**nobodys.headers, "date": ""}
    assert await status(site.court, http, case) == case


async def test_a_request_can_be_taken_back(site: DeskSite, http: httpx.AsyncClient) -> None:
    """A withdrawn case discloses nothing more, though it was released."""
    case = await released(site, http)

    answer = await call(http, "/v1/withdrawals", site.court.call("withdraw", {"case_id": str(case.case_id)}))
    later = await call(http, "/v1/packages", fetch(site.court, case.case_id))

    assert answer.status_code == 200
    assert (later.status_code, later.json()["type"]) == (409, "urn:blindrelay:problem:nothing-to-fetch")


async def test_a_real_time_order_is_followed_as_events(site: DeskSite, http: httpx.AsyncClient) -> None:
    """A running order answers with server-sent events, which begin at once and end with the order."""
    demand = json.loads(json.dumps(site.office.demand("d1", "stream"), default=lambda at: at.isoformat()))
    case = await handed_in(site, http, demands=[demand])
    for person in ("ada", "bea"):
        await site.desk.approve(person, str(case.case_id), "d1")

    answer = await call(
        http, "/v1/streams", site.court.call("stream", {"case_id": str(case.case_id), "demand_id": "d1"})
    )

    assert (answer.status_code, answer.content) == (200, b":\n\n")
    assert answer.headers["content-type"].startswith(EVENTS)


async def test_who_does_not_exist_is_who_nothing_is_held_of(site: DeskSite, http: httpx.AsyncClient) -> None:
    """A decision that rests on an unknown target is told as one about data that the relay does not have."""
    site.office.script.outcomes["d1"] = lambda _: refused(Outcome.REFUSED, Ground.UNKNOWN_TARGET)
    answer = await handed_in(site, http)

    assert (answer.demands[0].outcome, answer.demands[0].ground) == (Outcome.REFUSED, Ground.NOT_HELD)


async def test_a_disk_that_is_full_is_no_answer(
    site: DeskSite, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written down is not done, and is said so: 503, and the call may be made again."""

    def full(*_: object) -> None:
        raise NotRecorded("no room")

    monkeypatch.setattr(site.desk.journal, "append", full)

    answer = await call(http, "/v1/requests", site.court.hand_in())
    refusal = await call(http, "/v1/requests", b"nonsense")

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:blindrelay:problem:unavailable")
    assert refusal.status_code == 503


def without_names(answer: httpx.Response) -> object:
    """An answer without the ids that differ from case to case."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", answer.text)
    return json.loads(text)


@pytest.mark.parametrize("data_class", ["TRAFFIC", "CONTENT", "KEYS"])
@pytest.mark.parametrize("instrument", ["us/subpoena", "us/nonsense", "eu/epoc-traffic"])
async def test_a_refusal_does_not_say_who_exists(lawful: DeskSite, instrument: str, data_class: str) -> None:
    """What the instrument does not reach is refused in the same words for an account that exists and for one that does not."""
    document = lawful.court.request()
    document["authorisation"] |= {"instrument": instrument}
    document["demands"][0] |= {"classes": [data_class]}
    answers = []
    async with lawful.http() as http:
        for user in ("bob@globex.example", "eve@globex.example", "bob@nowhere.example"):
            document["demands"][0]["targets"] = [{"format": "user", "value": user}]
            token = lawful.court.call("request", {**document, "id": str(uuid4())})
            answers.append(without_names(await call(http, "/v1/requests", token)))

    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("data_class", ["SUBSCRIBER", "ACCESS", "TRAFFIC"])
async def test_a_preservation_does_not_say_who_exists(lawful: DeskSite, data_class: str) -> None:
    """It takes no judge, so that whoever asks for it would have a list of accounts soon: what exists is kept, be it nothing."""
    document = lawful.court.request()
    document["authorisation"] |= {"instrument": "us/preservation-letter"}
    document["demands"][0] |= {"classes": [data_class], "mode": "preserve"}
    answers = []
    async with lawful.http() as http:
        for user in ("bob@globex.example", "eve@globex.example", "bob@nowhere.example"):
            document["demands"][0]["targets"] = [{"format": "user", "value": user}]
            token = lawful.court.call("request", {**document, "id": str(uuid4())})
            answer = await call(http, "/v1/requests", token)
            answers.append(answer.text.replace(user, "SOMEBODY"))
            case = answer.json()["case_id"]
            status = lawful.court.call("status", {"case_id": case})
            answers.append((await call(http, "/v1/status", status)).text.replace(user, "SOMEBODY"))

    said = {re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text) for text in answers}
    assert len(said) == 1
    assert '"outcome":"preserved"' in said.pop()


async def test_a_court_order_for_nobody_reads_as_nothing_held(lawful: DeskSite) -> None:
    """An account that does not exist is answered as data that the relay does not have."""
    document = lawful.court.request()
    document["demands"][0]["targets"] = [{"format": "user", "value": "eve@globex.example"}]
    async with lawful.http() as http:
        answer = await call(http, "/v1/requests", lawful.court.call("request", document))

    assert answer.json()["demands"][0]["ground"] == "not-held"
    assert "unknown" not in answer.text
    assert "exist" not in answer.json()["letter"]


async def test_nothing_is_served_that_is_not_described(http: httpx.AsyncClient) -> None:
    """No documentation page, no schema, no directory: an address that is not in the reference is a problem like others."""
    for path in (
        "/",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/v1",
        "/v1/",
        "/v1/requests/",
        "/v1/cases",
        "/../relay.key",
        "/%2e%2e/relay.key",
    ):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:blindrelay:problem:no-such-address"), path
    wrong = await http.get("/v1/requests")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


async def test_a_call_cannot_be_made_by_a_browser(http: httpx.AsyncClient) -> None:
    """There is no cross-origin permission to be had."""
    answer = await http.options(
        "/v1/requests", headers={"origin": "https://example.org", "access-control-request-method": "POST"}
    )

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
