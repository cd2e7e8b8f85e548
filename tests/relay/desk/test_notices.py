"""What users are told (`relay/desk/notices.py`): signed, once for each device, and nothing before it may be told."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy

from blindrelay.clients import Device, Enterprise
from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.vocabulary import DataClass, ServiceAction
from blindrelay.protocol import rpc
from blindrelay.protocol.certificates import load, public_key
from blindrelay.protocol.errors import VerificationFailed
from blindrelay.protocol.notices import AskNotices, DisclosureNotice, NoticeBody, NoticePage, ServiceNotice
from blindrelay.protocol.statements import Purpose
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from support import people, site
from support.orders import DAY, MAY, notice_order
from support.people import SOON
from support.tenants import Badge, Tenant
from support.wire import Client

pytestmark = pytest.mark.both_engines

DESK = {"desk": {"enabled": True, "https_port": 0}}


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay with a desk."""
    async with site.relay_in(tmp_path / "relay", **DESK) as relay:
        yield relay


@pytest.fixture
async def globe(relay: Relay) -> AsyncIterator[Enterprise]:
    """globex.example."""
    async with people.enterprise(relay, "globex.example") as enterprise:
        yield enterprise


@pytest.fixture
async def bob(globe: Enterprise) -> AsyncIterator[Device]:
    """bob's phone, connected."""
    async with await people.person(globe, "bob") as device:
        yield device


async def raw(relay: Relay, badge: Badge, request: AskNotices | None = None) -> bytes:
    """The bytes of the relay's answer."""
    async with Client(relay, badge) as client:
        await client.connect()
        return bytes((await client.ask(rpc.NOTICES, request or AskNotices())).payload)


def page_of(answer: bytes) -> NoticePage:
    """What they say."""
    parsed = rpc.Answer.model_validate_json(answer)
    assert parsed.error is None
    assert isinstance(parsed.result, dict)
    return NoticePage.model_validate_json(json.dumps(parsed.result))


# With people.


async def test_a_connected_device_is_told_at_once(relay: Relay, bob: Device) -> None:
    """The notice names classes, window, authority and instrument, and comes without being asked for."""
    told = aiter(bob.notices())
    assert await relay.notices.give(notice_order("bob@globex.example")) == 1

    notice = await asyncio.wait_for(anext(told), SOON)

    assert isinstance(notice, DisclosureNotice)
    assert (notice.classes, notice.authority, notice.instrument) == (
        ("SUBSCRIBER", "TRAFFIC"),
        "The District Court",
        "us/d-order",
    )
    assert (notice.since, notice.until) == (MAY.timestamp(), (MAY + DAY).timestamp())
    assert notice.legal_reference == "No. 17"


async def test_a_device_that_was_away_is_told_when_it_comes(relay: Relay, globe: Enterprise) -> None:
    """The notice waits at the relay."""
    bob = await people.person(globe, "bob")
    await relay.notices.give(notice_order("bob@globex.example"))
    async with bob:
        notice = await asyncio.wait_for(anext(aiter(bob.notices())), SOON)

    assert notice.kind == "disclosure"


async def test_each_device_is_told_once(relay: Relay, globe: Enterprise) -> None:
    """Every device of the user gets it, one that is enrolled later as well; none gets it twice."""
    phone, tablet = await people.person(globe, "bob"), await people.person(globe, "bob", "tablet")
    assert await relay.notices.give(notice_order("bob@globex.example")) == 2
    later = await people.person(globe, "bob", "watch")
    for device in (phone, tablet, later):
        async with device:
            assert len(await device.fetch_notices()) == 1
            assert len(await device.fetch_notices()) == 1
    seen = await relay.committer.read(lambda c: c.execute(sqlalchemy.select(tables.notice_seen)).all())

    assert len(seen) == 3


async def test_nobody_else_is_told(relay: Relay, globe: Enterprise, bob: Device) -> None:
    """Not a colleague, though she had written to him."""
    async with await people.person(globe, "carol") as carol:
        await asyncio.wait_for((await carol.send("bob@globex.example", "hello")).delivered(), SOON)
        await relay.notices.give(notice_order("bob@globex.example"))

        assert await carol.fetch_notices() == []
        assert len(await bob.fetch_notices()) == 1


async def test_an_order_that_is_given_again_is_no_news(relay: Relay, bob: Device) -> None:
    """As after a crash: one notice, with the words of the first time."""
    await relay.notices.give(notice_order("bob@globex.example"))
    await relay.notices.give(notice_order("bob@globex.example", classes=[DataClass.ACCESS]))

    (kept,) = await bob.fetch_notices()

    assert isinstance(kept.notice, DisclosureNotice)
    assert kept.notice.classes == ("SUBSCRIBER", "TRAFFIC")


async def test_a_target_that_does_not_exist_has_nobody_to_be_told(relay: Relay, bob: Device) -> None:
    """Unknown users and malformed addresses are passed over; the others of the order are told."""
    order = notice_order("bob@globex.example", "nobody@globex.example", "not an address")

    assert await relay.notices.give(order) == 1
    assert len(await bob.fetch_notices()) == 1


@pytest.mark.parametrize(
    ("format_", "value"),
    [(TargetFormat.DEVICE, "globex.example/bob/phone"), (TargetFormat.TENANT, "globex.example")],
)
async def test_targets_by_device_and_tenant(relay: Relay, bob: Device, format_: TargetFormat, value: str) -> None:
    """A device stands for its user, a tenant for everybody there."""
    order = dataclasses.replace(notice_order(), targets=(Target(format=format_, value=value),))
    await relay.notices.give(order)

    assert len(await bob.fetch_notices()) == 1


async def test_more_notices_than_an_answer_holds(relay: Relay, bob: Device) -> None:
    """A device gets all of them, page by page, in the order in which they were given."""
    for number in range(70):
        await relay.notices.give(notice_order("bob@globex.example", case=f"case-{number:02}"))

    kept = await bob.fetch_notices()

    assert [one.notice.id for one in kept] == [f"case-{number:02}/d1/bob@globex.example" for number in range(70)]


async def test_notices_outlive_a_restart(tmp_path: Path) -> None:
    """What was given is there when the relay starts again, under the same key."""
    folder = tmp_path / "relay"
    globex = Tenant("globex.example", tmp_path)
    badge = globex.device("bob", "phone")
    async with site.relay_in(folder, **DESK) as relay:
        await site.register(relay, globex)
        before = page_of(await raw(relay, badge))
        await relay.notices.give(notice_order("bob@globex.example"))
    async with site.relay_in(folder, **DESK) as relay:
        page = page_of(await raw(relay, badge))

    assert page.certificate == before.certificate
    key = public_key(load(page.certificate))
    assert page.notices[0].open_as(Purpose.NOTICE, NoticeBody, key).notice.kind == "disclosure"
    with pytest.raises(VerificationFailed):
        page.notices[0].open_as(Purpose.REVOCATION, NoticeBody, key)


# While the law forbids to speak.


async def test_the_answer_while_gagged_is_that_to_somebody_without_a_case(tmp_path: Path) -> None:
    """Byte for byte: for as long as `give` has not been called there is nothing about the case where answers come from."""
    globex = Tenant("globex.example", tmp_path)
    async with site.relay_in(tmp_path / "relay", **DESK) as relay:
        await site.register(relay, globex)
        target, other = globex.device("bob", "phone"), globex.device("carol", "phone")
        both = [await raw(relay, target), await raw(relay, other)]
        await relay.notices.give(notice_order("bob@globex.example"))
        afterwards = await raw(relay, target)

        assert both[0] == both[1]
        assert afterwards != both[0]
        assert await raw(relay, other) == both[1]


async def test_seen_is_said_of_ones_own_notices_alone(tmp_path: Path) -> None:
    """Marking somebody else's notice as seen takes nothing from them, and answers nothing about it."""
    globex = Tenant("globex.example", tmp_path)
    async with site.relay_in(tmp_path / "relay", **DESK) as relay:
        await site.register(relay, globex)
        target, other = globex.device("bob", "phone"), globex.device("carol", "phone")
        await raw(relay, target)
        await relay.notices.give(notice_order("bob@globex.example"))
        name = "case/d1/bob@globex.example"

        assert await raw(relay, other, AskNotices(seen=(name,))) == await raw(relay, other, AskNotices(seen=("x",)))
        assert len(page_of(await raw(relay, target)).notices) == 1
        rows = await relay.committer.read(lambda c: c.execute(sqlalchemy.select(tables.notice_seen)).all())
        assert rows == []


async def test_a_relay_without_a_desk_has_nothing_to_tell(tmp_path: Path) -> None:
    """The method is there all the same, and says neither notice nor key."""
    globex = Tenant("globex.example", tmp_path)
    async with site.relay_in(tmp_path / "relay") as relay:
        await site.register(relay, globex)
        page = page_of(await raw(relay, globex.device("bob", "phone")))
        with pytest.raises(RuntimeError, match="no notices"):
            await relay.notices.give(notice_order("bob@globex.example"))

    assert page == NoticePage(notices=(), certificate=b"")


# Of the service.


async def test_everybody_in_a_jurisdiction_is_told_of_each_change(relay: Relay) -> None:
    """Announced, suspended, resumed: devices read all of it, those shut out afterwards; nobody elsewhere reads any."""
    pk = Enterprise.create("karachi.example", people.address_of(relay), options=people.BRISK, jurisdiction="pk")
    async with pk, people.enterprise(relay, "globex.example") as elsewhere:
        async with await people.person(pk, "asad") as asad, await people.person(elsewhere, "bob") as bob:
            for action in (ServiceAction.SUSPEND, ServiceAction.RESUME):
                await relay.services.operate(action, "pk", operator="omar")
            told = aiter(asad.notices())
            states = [await asyncio.wait_for(anext(told), SOON) for _ in range(2)]

            assert [one.state for one in states if isinstance(one, ServiceNotice)] == ["suspended", "running"]
            assert await bob.fetch_notices() == []
        assert [one.kind for one in await pk.notices()] == ["service", "service"]


async def test_my_data_has_the_notices(relay: Relay, bob: Device) -> None:
    """A user sees that the relay holds notices for them, as everything else that it holds."""
    await relay.notices.give(notice_order("bob@globex.example"))
    await bob.fetch_notices()

    records = (await bob.my_data()).records

    assert [row["user"] for row in records["Notice"]] == ["bob"]
