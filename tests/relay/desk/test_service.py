"""The service in a jurisdiction (`relay/desk/service.py`): announced, suspended, resumed, with real clients on a real relay."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mqtt5 import ConnAckReasonCode, DisconnectPacket, DisconnectReasonCode, PubAckReasonCode

from blindrelay.clients import AdmissionRefused, Device, Enterprise, Posture, RequestRefused, Stage
from blindrelay.policies.vocabulary import ServiceAction
from blindrelay.protocol.notices import ServiceNotice
from blindrelay.relay.desk.errors import NotAllowed
from blindrelay.relay.desk.ports import ServiceOrder
from blindrelay.relay.desk.service import TRANSITIONS, Move, State
from blindrelay.relay.server import Relay
from support import people, site
from support.orders import service_order
from support.party import HandClock
from support.people import BRISK, SOON
from support.tenants import Tenant
from support.wire import Client

pytestmark = pytest.mark.both_engines

SUSPEND, EXTEND = ServiceAction.SUSPEND, ServiceAction.EXTEND
RESCIND, RESUME = ServiceAction.RESCIND, ServiceAction.RESUME
NOW = datetime(2015, 7, 24, 12, tzinfo=UTC)
NOVEMBER, DECEMBER = datetime(2015, 11, 30, tzinfo=UTC), datetime(2015, 12, 30, tzinfo=UTC)
DESK = {"desk": {"enabled": True, "https_port": 0}}


class World:
    """Karachi (pk) and Globex (us) on one relay, each with one person who is connected."""

    def __init__(self, relay: Relay, karachi: Enterprise, globex: Enterprise, asad: Device, bob: Device) -> None:
        self.relay = relay
        self.karachi = karachi
        self.globex = globex
        self.asad = asad
        self.bob = bob


async def enterprise(stack: AsyncExitStack, relay: Relay, name: str, jurisdiction: str) -> Enterprise:
    founded = Enterprise.create(name, people.address_of(relay), options=BRISK, jurisdiction=jurisdiction)
    return await stack.enter_async_context(founded)


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay with a desk."""
    async with site.relay_in(tmp_path / "relay", **DESK) as relay:
        yield relay


@pytest.fixture
async def world(relay: Relay) -> AsyncIterator[World]:
    """See `World`."""
    async with AsyncExitStack() as stack:
        karachi = await enterprise(stack, relay, "karachi.example", "pk")
        globex = await enterprise(stack, relay, "globex.example", "us")
        asad, bob = await people.person(karachi, "asad"), await people.person(globex, "bob")
        await stack.enter_async_context(asad)
        await stack.enter_async_context(bob)
        yield World(relay, karachi, globex, asad, bob)


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


# Suspension and resumption, with people.


async def test_devices_of_the_jurisdiction_are_shut_out_with_a_reason(world: World) -> None:
    """A new session is refused with CONNACK 0x88 and a sentence that says where, and that nothing is lost."""
    other = await world.karachi.enrol("bina", "phone", announce=True)
    await world.relay.services.operate(SUSPEND, "pk", operator="omar")

    with pytest.raises(AdmissionRefused) as refused:
        await other.__aenter__()

    assert refused.value.code == ConnAckReasonCode.SERVER_UNAVAILABLE
    assert "suspended in pk" in refused.value.reason
    assert "kept" in refused.value.reason


async def test_a_live_session_is_ended_with_a_reason(relay: Relay, tmp_path: Path) -> None:
    """A connected device gets DISCONNECT 0x98, administrative action, and a sentence."""
    karachi = Tenant("karachi.example", tmp_path)
    await site.register(relay, karachi)
    await relay.tenants.move("karachi.example", "pk")
    async with site.connected(relay, karachi.device("asad", "phone")) as asad:
        await relay.services.operate(SUSPEND, "pk", operator="omar")

        ending = await asad.expect(DisconnectPacket)

    assert ending.reason_code == DisconnectReasonCode.ADMINISTRATIVE_ACTION
    assert "suspended in pk" in (ending.reason_str or "")


async def test_a_publish_of_the_moment_is_refused_and_not_given_up(relay: Relay, tmp_path: Path) -> None:
    """What arrives while the suspension is being written down gets PUBACK 0x97 with the reason, and not another answer."""
    karachi = await site.register(relay, Tenant("karachi.example", tmp_path))
    asad = karachi.device("asad", "phone")
    async with site.connected(relay, asad) as client:
        await relay.tenants.move("karachi.example", "pk")
        relay.accounts.suspensions.suspend({"pk"})  # as `operate` does before the row is durable

        answer = await client.publish(asad.device)

    assert answer.reason_code == PubAckReasonCode.QUOTA_EXCEEDED
    assert "suspended in pk" in (answer.reason_str or "")


async def test_a_device_of_the_moment_is_handed_nothing(relay: Relay, tmp_path: Path) -> None:
    """Mail that comes while the suspension is being written down stays in the mailbox; the session ends with 0x98."""
    karachi = await site.register(relay, Tenant("karachi.example", tmp_path))
    globex = await site.register(relay, Tenant("globex.example", tmp_path))
    asad = karachi.device("asad", "phone")
    async with site.connected(relay, asad) as reader, site.connected(relay, globex.device("bob", "phone")) as writer:
        await reader.open_inbox()
        await relay.tenants.move("karachi.example", "pk")
        relay.accounts.suspensions.suspend({"pk"})
        assert (await writer.publish(asad.device)).reason_code == PubAckReasonCode.SUCCESS

        ending = await reader.expect(DisconnectPacket)

    assert ending.reason_code == DisconnectReasonCode.ADMINISTRATIVE_ACTION
    assert reader.inbox == []


async def test_what_was_accepted_is_delivered_and_what_comes_is_kept(world: World) -> None:
    """Mail that a device had sent reaches others; mail to it is accepted meanwhile, and all of it is there on resumption."""
    first = await world.asad.send("bob@globex.example", "sent in time")
    await asyncio.wait_for(first.accepted(), SOON)
    await world.relay.services.operate(SUSPEND, "pk", operator="omar")

    assert (await world.bob.receive(SOON)).text == "sent in time"
    waiting = [await world.bob.send("asad@karachi.example", f"while you were away {n}") for n in range(3)]
    for receipt in waiting:
        await asyncio.wait_for(receipt.accepted(), SOON)
    assert {receipt.stage for receipt in waiting} == {Stage.ACCEPTED}

    await world.relay.services.operate(RESUME, "pk", operator="omar")
    came = [(await world.asad.receive(SOON)).text for _ in range(3)]

    assert came == [f"while you were away {n}" for n in range(3)]


async def test_what_was_written_during_a_suspension_leaves_afterwards(world: World) -> None:
    """A letter to somebody known waits on the device, and goes out by itself when the service is resumed."""
    await asyncio.wait_for((await world.asad.send("bob@globex.example", "before")).delivered(), SOON)
    await world.relay.services.operate(SUSPEND, "pk", operator="omar")
    late = await world.asad.send("bob@globex.example", "written in the dark")
    await world.relay.services.operate(RESUME, "pk", operator="omar")

    await asyncio.wait_for(late.delivered(), SOON)
    assert [(await world.bob.receive(SOON)).text for _ in range(2)] == ["before", "written in the dark"]


async def test_other_jurisdictions_never_notice(world: World) -> None:
    """People elsewhere keep their connections, write to each other, and find the suspended ones in the directory."""
    async with await people.person(world.globex, "carol") as carol:
        before = {id(peer) for peer in world.relay.exchange.peers if peer.identity.tenant == "globex.example"}  # type: ignore[union-attr]
        await world.relay.services.operate(SUSPEND, "pk", operator="omar")

        await asyncio.wait_for((await carol.send("bob@globex.example", "as ever")).delivered(), SOON)
        contact = await carol.look_up("asad@karachi.example")
        await world.relay.services.operate(RESUME, "pk", operator="omar")
        after = {id(peer) for peer in world.relay.exchange.peers if peer.identity.tenant == "globex.example"}  # type: ignore[union-attr]

    assert [str(device.address) for device in contact.devices] == ["karachi.example/asad/phone"]
    assert before == after
    assert carol.kept_notices() == []


async def test_a_first_message_to_a_suspended_person_finds_a_prekey(world: World) -> None:
    """Prekeys of devices that are shut out are handed out: the sender is elsewhere."""
    await world.relay.services.operate(SUSPEND, "pk", operator="omar")

    receipt = await world.bob.send("asad@karachi.example", "we have not met")

    await asyncio.wait_for(receipt.accepted(), SOON)


async def test_sealed_senders_are_not_told_apart(world: World) -> None:
    """A connection without certificate has no tenant: what comes over one is taken, whoever sent it."""
    sealed = dataclasses.replace(BRISK, posture=Posture.SEALED)
    async with await world.globex.enrol("carol", "phone", options=sealed) as carol:
        await asyncio.wait_for(
            (await world.asad.send("carol@globex.example", "my token comes along")).delivered(), SOON
        )
        await carol.receive(SOON)
        await world.relay.services.operate(SUSPEND, "pk", operator="omar")

        receipt = await carol.send("asad@karachi.example", "from nobody")
        await asyncio.wait_for(receipt.accepted(), SOON)


async def test_an_administrator_may_revoke_during_a_suspension(world: World) -> None:
    """A stolen phone is withdrawn in any weather, and the enterprise can ask how things stand."""
    await world.relay.services.operate(SUSPEND, "pk", operator="omar")

    assert await world.karachi.revoke("asad", "phone") == 1
    (notice,) = await world.karachi.notices()
    assert isinstance(notice, ServiceNotice)
    assert notice.state == "suspended"


async def test_users_read_whose_order_it_was(world: World, relay: Relay) -> None:
    """An authority is named as it is registered; of the operator's people nobody is: who did it is for the desk to know."""
    await relay.services.apply(service_order(SUSPEND, "pk", tomorrow()))
    await relay.services.operate(ServiceAction.RESCIND, "pk", operator="omar")

    ordered, taken_back = await world.karachi.notices()
    assert isinstance(ordered, ServiceNotice)
    assert isinstance(taken_back, ServiceNotice)
    assert (ordered.state, ordered.ordered_by) == ("noticed", "The Regulator")
    assert (taken_back.state, taken_back.ordered_by) == ("rescinded", "the operator of this relay")
    assert [change.made_by for change in relay.services.view("pk").history] == ["The Regulator", "omar"]


async def test_a_suspension_outlives_a_restart(tmp_path: Path) -> None:
    """What was suspended is suspended when the relay starts again, before anybody is let in."""
    folder = tmp_path / "relay"
    karachi = Tenant("karachi.example", tmp_path)
    async with site.relay_in(folder, **DESK) as relay:
        await site.register(relay, karachi)
        await relay.tenants.move("karachi.example", "pk")
        await relay.services.operate(SUSPEND, "pk", operator="omar", note="order of the day")
    async with site.relay_in(folder, **DESK) as relay:
        async with Client(relay, karachi.device("asad", "phone")) as client:
            answer = await client.connect()
        view = relay.services.view("pk")

    assert answer.reason_code == ConnAckReasonCode.SERVER_UNAVAILABLE
    assert (view.state, view.tenants) == (State.SUSPENDED, ("karachi.example",))
    assert view.history[0].note == "order of the day"


async def test_a_shut_out_device_leaves_no_trace(relay: Relay, tmp_path: Path) -> None:
    """A device that comes for the first time during a suspension is not entered anywhere."""
    karachi = await site.register(relay, Tenant("karachi.example", tmp_path))
    await relay.tenants.move("karachi.example", "pk")
    await relay.services.operate(SUSPEND, "pk", operator="omar")
    newcomer = karachi.device("nadia", "phone")
    async with Client(relay, newcomer) as client:
        await client.connect()

    assert relay.accounts.device(newcomer.device) is None


# A tenant's jurisdiction.


async def test_a_tenant_that_moves_in_is_shut_out_at_once(relay: Relay, tmp_path: Path) -> None:
    """The operator says that a tenant is where the service is suspended: its sessions end."""
    karachi = await site.register(relay, Tenant("karachi.example", tmp_path))
    await relay.services.operate(SUSPEND, "pk", operator="omar")
    async with site.connected(relay, karachi.device("asad", "phone")) as asad:
        await relay.tenants.move("karachi.example", "pk")
        ending = await asad.expect(DisconnectPacket)

    assert ending.reason_code == DisconnectReasonCode.ADMINISTRATIVE_ACTION


async def test_a_registrar_cannot_move_a_tenant(relay: Relay) -> None:
    """Another jurisdiction than the registered one is refused: else a tenant could register itself out of a suspension."""
    async with AsyncExitStack() as stack:
        karachi = await enterprise(stack, relay, "karachi.example", "pk")
        karachi.jurisdiction = "us"
        with pytest.raises(RequestRefused, match="only the relay's operator"):
            await karachi.register()
    tenant = relay.accounts.tenant("karachi.example")

    assert tenant is not None
    assert tenant.jurisdiction == "pk"


async def test_a_registrar_may_add_what_was_left_out(relay: Relay) -> None:
    """Registering again fills in a jurisdiction where there was none, and leaves it when none is named."""
    async with AsyncExitStack() as stack:
        karachi = await stack.enter_async_context(Enterprise.create("karachi.example", people.address_of(relay)))
        karachi.jurisdiction = "pk"
        await karachi.register()
        karachi.jurisdiction = None
        await karachi.register()
    tenant = relay.accounts.tenant("karachi.example")

    assert tenant is not None
    assert tenant.jurisdiction == "pk"


# The state machine.


@pytest.fixture
def clock() -> HandClock:
    """July 2015."""
    return HandClock(NOW.timestamp())


@pytest.fixture
async def states(clock: HandClock, tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay on that clock, nobody on it."""
    async with site.relay_in(tmp_path / "relay", clock=clock, **DESK) as relay:
        yield relay


async def test_an_order_announces_and_its_date_suspends_nobody(states: Relay, clock: HandClock) -> None:
    """NOTICED past its date is overdue, and stays until somebody says what is to be."""
    await states.services.apply(service_order(SUSPEND, "pk", NOVEMBER))
    assert states.services.view("pk").state is State.NOTICED
    assert states.services.overdue() == []

    clock.at = (NOVEMBER + timedelta(days=1)).timestamp()
    await states.keep_house()

    view = states.services.view("pk")
    assert (view.state, view.effective, view.overdue) == (State.NOTICED, NOVEMBER, True)
    assert [one.jurisdiction for one in states.services.overdue()] == ["pk"]
    assert not states.accounts.suspensions.jurisdictions


async def test_the_pakistani_timeline(states: Relay, clock: HandClock) -> None:
    """Announced for 30 November, moved to 30 December, overdue, rescinded: nobody was ever shut out."""
    await states.services.apply(service_order(SUSPEND, "pk", NOVEMBER, case="a"))
    clock.at = NOVEMBER.timestamp()
    await states.services.apply(service_order(EXTEND, "pk", DECEMBER, case="b"))
    assert states.services.view("pk").effective == DECEMBER
    clock.at = (DECEMBER + timedelta(hours=12)).timestamp()
    assert states.services.view("pk").overdue
    await states.services.apply(service_order(RESCIND, "pk", DECEMBER, case="c"))

    view = states.services.view("pk")
    assert (view.state, view.effective, view.overdue) == (State.RESCINDED, None, False)
    assert [change.state for change in view.history] == [State.NOTICED, State.NOTICED, State.RESCINDED]


async def test_an_order_is_carried_out_once(states: Relay) -> None:
    """The same order again, as after a crash, changes nothing."""
    order = service_order(SUSPEND, "pk", NOVEMBER)
    await states.services.apply(order)
    await states.services.operate(RESCIND, "pk", operator="omar")
    await states.services.apply(order)

    assert states.services.view("pk").state is State.RESCINDED
    assert len(states.services.view("pk").history) == 2


async def test_an_order_that_comes_too_late_is_on_record_and_changes_nothing(states: Relay) -> None:
    """An extension of nothing is written down, with the state as it is."""
    await states.services.apply(service_order(EXTEND, "pk", DECEMBER))

    view = states.services.view("pk")
    assert (view.state, view.effective, view.since) == (State.RUNNING, None, None)
    assert [change.move for change in view.history] == [Move.EXTEND]


@pytest.mark.parametrize("action", [EXTEND, RESCIND, RESUME])
async def test_an_operator_hears_what_is_not_possible(states: Relay, action: ServiceAction) -> None:
    """What the state does not allow is refused, with what it does allow, and leaves no row."""
    with pytest.raises(NotAllowed, match="announce, suspend"):
        await states.services.operate(action, "pk", operator="omar", effective=DECEMBER)

    assert states.services.views() == []


@pytest.mark.parametrize("effective", [None, NOW, NOW - timedelta(days=1)])
async def test_an_extension_names_a_later_day(states: Relay, effective: datetime | None) -> None:
    """Extending to now, or to the past, is no extension."""
    await states.services.apply(service_order(SUSPEND, "pk", NOVEMBER))

    with pytest.raises(NotAllowed, match="later day"):
        await states.services.operate(EXTEND, "pk", operator="omar", effective=effective)


async def test_an_operator_announces_or_suspends_at_once(states: Relay) -> None:
    """With a date that has not come it is announced; without one it is suspended."""
    assert (await states.services.operate(SUSPEND, "pk", operator="omar", effective=NOVEMBER)).state is State.NOTICED
    assert (await states.services.operate(SUSPEND, "pk", operator="omar")).state is State.SUSPENDED
    assert states.accounts.suspensions.jurisdictions == {"pk"}


async def test_every_state_can_be_left() -> None:
    """No state is a trap, and every move leads somewhere from somewhere."""
    assert set(TRANSITIONS) == set(State)
    assert all(TRANSITIONS.values())
    assert {move for moves in TRANSITIONS.values() for move in moves} == set(Move)


async def test_a_state_that_cannot_be_written_is_not_one(states: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the row does not become durable, nobody stays shut out for it."""

    async def fail(_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(states.committer, "run", fail)
        with pytest.raises(OSError, match="no room"):
            await states.services.operate(SUSPEND, "pk", operator="omar")

    assert states.services.view("pk").state is State.RUNNING
    assert not states.accounts.suspensions.jurisdictions


async def test_without_a_desk_nothing_is_changed(tmp_path: Path) -> None:
    """A relay that cannot sign could not tell its tenants: it does not suspend them either."""
    async with site.relay_in(tmp_path / "relay") as relay:
        with pytest.raises(NotAllowed, match="no desk"):
            await relay.services.operate(SUSPEND, "pk", operator="omar")

    assert isinstance(service_order(SUSPEND, "pk", NOVEMBER), ServiceOrder)
