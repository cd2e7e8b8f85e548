"""A whole relay with its desk: from an authority's signed request to a package that it opens."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from cryptography import x509

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.desk import DeskClient, DeskRefused
from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.clients.authority.package import Package
from blindrelay.policies.request import LawfulRequest
from blindrelay.policies.vocabulary import CaseState, DataClass, Outcome
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.errors import BadConfiguration, Unreadable
from blindrelay.relay.server import Relay
from support import site
from support.authorities import Caller, at, authority
from support.clerks import Office, Outside, Script, still_clock
from support.tenants import Tenant

CLOCK = SystemClock()


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay with a desk."""
    async with site.relay_in(tmp_path / "relay", desk={}) as relay:
        yield relay


@pytest.fixture
def desk(relay: Relay) -> Desk:
    """Its desk."""
    assert relay.desk is not None
    return relay.desk


@pytest.fixture
def court(desk: Desk, tmp_path: Path) -> AuthorityIdentity:
    """A registered court of the United States."""
    court = authority(tmp_path / "authorities", CLOCK)
    desk.register.enter(
        court.card, jurisdiction="us", kind=court.card.kind, entered_by="ada", at=at(CLOCK), call_back="+1 202 555 0100"
    )
    return court


@pytest.fixture
async def client(relay: Relay, court: AuthorityIdentity) -> AsyncIterator[DeskClient]:
    """The court's connection to the desk."""
    address = DeskAddress(relay.host, relay.desk_port or 0, relay.certificate.read_bytes())
    async with DeskClient(court, address, CLOCK) as client:
        yield client


async def test_from_request_to_package(
    relay: Relay, desk: Desk, court: AuthorityIdentity, client: DeskClient, tmp_path: Path
) -> None:
    """A court order for two accounts: decided by the packs, approved by two persons, fetched, verified, opened."""
    globex = await site.register(relay, Tenant("globex.example", tmp_path))
    await relay.tenants.move("globex.example", "us")
    async with site.connected(relay, globex.device("bob", "phone")):
        pass
    document = Caller(court, client.relay.id, CLOCK).request()
    document["demands"][0]["classes"] = ["SUBSCRIBER", "TRAFFIC", "CONTENT"]

    answer = await client.request(LawfulRequest.model_validate(document))

    assert answer.state is CaseState.DECIDED
    decided = {item.data_class: item.outcome for item in answer.demands[0].classes}
    assert decided[DataClass.SUBSCRIBER].discloses
    assert decided[DataClass.CONTENT] is Outcome.REFUSED
    with pytest.raises(DeskRefused):
        await client.fetch(answer.case_id, "d1", tmp_path / "early.package")
    for person in ("ada", "bea"):
        await desk.approve(person, str(answer.case_id), "d1")
    out = tmp_path / "d1.package"
    await client.fetch(answer.case_id, "d1", out)
    certificate = x509.load_pem_x509_certificate(client.relay.certificate.encode())
    with Package.open(out, court.package_key, certificate) as package:
        assert [record.user for record in package.records(DataClass.SUBSCRIBER)] == ["bob"]  # type: ignore[union-attr]


async def test_a_decision_can_be_made_again_from_the_file(
    desk: Desk, court: AuthorityIdentity, client: DeskClient
) -> None:
    """Request, facts and policies of the file give the decision of the file."""
    from blindrelay.policies.engine import decide
    from blindrelay.relay.desk.assembly import load_policies
    from blindrelay.relay.desk.steps import STEP, Decided, Received

    answer = await client.request(LawfulRequest.model_validate(Caller(court, client.relay.id, CLOCK).request()))

    rows = [STEP.validate_json(row.body) for row in desk.cases.rows(str(answer.case_id))]
    (received,) = [row for row in rows if isinstance(row, Received)]
    (decided,) = [row for row in rows if isinstance(row, Decided)]
    assert decide(received.request, decided.facts, load_policies([])) == decided.decision


async def test_an_operator_works_over_https(
    relay: Relay, desk: Desk, court: AuthorityIdentity, client: DeskClient
) -> None:
    """With a token of a person's own; without one nothing is shown."""
    token = desk.operators.add("ada", at=at(CLOCK))
    answer = await client.request(LawfulRequest.model_validate(Caller(court, client.relay.id, CLOCK).request()))
    url = f"https://localhost:{relay.desk_port}/v1/operator"
    import ssl

    context = ssl.create_default_context(cafile=str(relay.certificate))
    async with httpx.AsyncClient(verify=context) as http:
        assert (await http.get(f"{url}/cases")).status_code == 401
        assert (await http.get(f"{url}/cases", headers={"Authorization": "Bearer nobody"})).status_code == 401
        allowed = {"Authorization": f"Bearer {token}"}
        (line,) = (await http.get(f"{url}/cases", headers=allowed)).json()
        assert line["case_id"] == str(answer.case_id)
        shown = (await http.get(f"{url}/cases/{answer.case_id}", headers=allowed)).json()
        assert shown["summary"]["instrument"] == "us/d-order"
        letter = (await http.get(f"{url}/cases/{answer.case_id}/letter", headers=allowed)).json()
        assert "26-cv-1" in letter["letter"]


async def test_a_pack_that_does_not_load_keeps_the_relay_from_starting(tmp_path: Path) -> None:
    """Nothing is decided by half of the policies; the message names the file."""
    pack = tmp_path / "packs" / "zz"
    pack.mkdir(parents=True)
    (pack / "manifest.yaml").write_text("jurisdiction: zz\n")
    with pytest.raises(BadConfiguration, match=r"zz/manifest\.yaml"):
        async with site.relay_in(tmp_path / "relay", desk={"packs": [str(pack)]}):
            pass


async def test_a_relay_can_do_without(tmp_path: Path) -> None:
    """No desk, no port, no case file, no key."""
    async with site.relay_in(tmp_path / "relay") as relay:
        assert (relay.desk, relay.desk_port) == (None, None)
    assert not {path.name for path in (tmp_path / "relay").iterdir()} & {"desk.sqlite", "desk.key", "desk.crt"}


@pytest.mark.parametrize("row", [1, 2])
async def test_a_case_file_of_another_release_is_a_sentence(tmp_path: Path, row: int) -> None:
    """Its chain holds, and a row says what is not understood: which one is said, and what to do. Nothing is guessed."""
    async with site.relay_in(tmp_path / "relay", desk={}) as relay:
        assert relay.desk is not None
        journal, case = relay.desk.journal, str(uuid4())
        office = Office(tmp_path, still_clock(), Script(), Outside())
        request = office.request().model_dump(mode="json")
        for number in range(1, row + 1):
            step: dict[str, object] = {"step": "received", "request": request, "jws": "x"}
            if number > 1:
                step = {"step": "authenticated", "name": "x", "officer_is_enrolled": True}
            if number == row:
                step |= {"mood": "of a later release"}
            journal.append(case, "us-court", at(CLOCK), str(step["step"]), json.dumps(step))

    with pytest.raises(Unreadable, match=rf"row {row} of case {case}.*start the release that wrote it"):
        async with site.relay_in(tmp_path / "relay", desk={}):
            pass
