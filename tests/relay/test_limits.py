"""Limits: what is within them costs nothing, what is over them waits, and what stays over them goes."""

import math
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.relay import config
from blindrelay.relay.identity import DeviceIdentity, Registrar, SealedSender
from blindrelay.relay.limits import REFUSED, Bucket, Limits, within_open_files
from support import site
from support.site import connected
from support.tenants import Badge, Tenant
from support.wire import Client


class StillClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.moment = 1_000.0

    def now(self) -> float:
        raise AssertionError("limits have no business with the date")

    def monotonic(self) -> float:
        return self.moment


def device(number: int, tenant: str = "acme.example") -> DeviceIdentity:
    """A device."""
    return DeviceIdentity(DeviceAddress(tenant, "alice", f"d{number}"), number, b"", b"", 2e9)


@pytest.fixture
def clock() -> StillClock:
    """Time stands still."""
    return StillClock()


def limits(clock: StillClock, **values: object) -> Limits:
    """Limits with these values."""
    return Limits(config.Limits.model_validate(values), clock)


@given(
    steps=st.lists(st.floats(0, 10), min_size=1, max_size=200), rate=st.floats(0.1, 1_000), burst=st.integers(1, 1_000)
)
def test_a_bucket_never_gives_more_than_its_rate(steps: list[float], rate: float, burst: int) -> None:
    """Over any time, what was given is at most the burst and what the rate brought back."""
    bucket, now, given_out = Bucket(rate, burst, 0.0), 0.0, 0
    for step in steps:
        now += step
        given_out += bucket.try_take(now)
        assert given_out <= burst + rate * now + 1e-6


def test_a_sender_over_its_rate_waits_as_long_as_it_owes(clock: StillClock) -> None:
    """The pause is the debt over the rate; after it, sending goes on."""
    limited = limits(clock, device_rate=10, device_burst=5)
    assert [limited.sending(device(1), 1_024) for _ in range(5)] == [0.0] * 5
    assert limited.sending(device(1), 1_024) == pytest.approx(0.1)
    assert limited.sending(device(1), 1_024) == pytest.approx(0.2)
    assert limited.sending(device(2), 1_024) == 0.0
    clock.moment += 0.35
    assert limited.sending(device(1), 1_024) == 0.0


def test_a_sender_that_stays_at_its_limit_is_sent_away(clock: StillClock) -> None:
    """Patience ends when the bucket was never half full again; a pause begins it anew."""
    limited = limits(clock, device_rate=10, device_burst=10, patience=5)

    def burst() -> list[float]:
        return [limited.sending(device(1), 1_024) for _ in range(12)]

    assert 0 < burst()[-1] < math.inf
    clock.moment += 4
    assert 0 < burst()[-1] < math.inf  # it has rested: four seconds refill the bucket
    for _ in range(60):
        clock.moment += 0.1
        pause = limited.sending(device(1), 1_024)
        pause = max(pause, limited.sending(device(1), 1_024))
    assert pause == math.inf


def test_a_tenant_s_limit_slows_all_its_devices_and_no_other_s(clock: StillClock) -> None:
    """What the devices of a tenant send together is bounded; nobody is sent away for what others did."""
    limited = limits(clock, tenant_rate=10, tenant_burst=10, patience=1)
    for number in range(10):
        assert limited.sending(device(number), 1_024) == 0.0
    clock.moment += 0.001
    assert 0 < limited.sending(device(11), 1_024) < math.inf
    assert limited.sending(device(12, "globex.example"), 1_024) == 0.0


def test_a_tenant_that_stays_over_its_limit_has_the_rest_refused(clock: StillClock) -> None:
    """After `patience` the tenant gets its rate and no more, refused message by message, until it has been well below it."""
    limited = limits(clock, tenant_rate=10, tenant_burst=10, patience=1)
    taken = refused = 0
    for step in range(1_000):
        clock.moment = step / 100
        if limited.sending(device(step % 50), 1_024) == REFUSED:
            refused += 1
        else:
            taken += 1
    assert refused > 700
    assert taken <= 10 + 10 * 10 + 100  # burst, rate, and what was taken on credit while we were patient
    assert limited.sending(device(100, "globex.example"), 1_024) == 0.0
    clock.moment += 10
    assert limited.sending(device(1), 1_024) == 0.0
    assert limited.sending(device(2), 1_024) == 0.0


def test_sealed_connections_have_limits_of_their_own(clock: StillClock) -> None:
    """Two sealed connections are two senders, and forgotten with their connections; each has less than a device."""
    limited = limits(clock, sealed_rate=10, sealed_burst=2)
    one, two = (SealedSender(UserAddress("acme.example", "alice"), b"") for _ in range(2))
    assert one != two
    assert [limited.sending(one, 1_024) for _ in range(2)] == [0.0, 0.0]
    assert limited.sending(one, 1_024) > 0
    assert limited.sending(two, 1_024) == 0.0
    assert config.Limits().sealed_rate < config.Limits().device_rate
    del one
    assert len(limited._sealed) == 1


def test_who_writes_to_nobody_is_not_charged(clock: StillClock) -> None:
    """Registrars send requests alone, and those have a limit of their own."""
    assert limits(clock).sending(Registrar(), 1_024) == 0.0


def test_connections_of_an_address_are_bounded(clock: StillClock) -> None:
    """M10: so many at once, so many new ones a second; other addresses are not affected."""
    limited = limits(clock, connections_per_address=3, handshake_rate=1, handshake_burst=4, max_connections=5)
    assert [limited.connecting("a") for _ in range(4)] == [True, True, True, False]
    limited.disconnected("a")
    assert limited.connecting("a")
    limited.disconnected("a")
    assert not limited.connecting("a")  # the burst of new ones is used up
    assert limited.connecting("b")
    assert limited.connecting("b")
    clock.moment += 1
    assert limited.connecting("a")
    assert not limited.connecting("c")  # five in all
    for address in "aaabb":
        limited.disconnected(address)
    assert limited.connections == 0
    assert limited._connections == {}


def test_claims_and_requests_are_charged_apart(clock: StillClock) -> None:
    """Looking up does not use up what claiming has, and each identity has its own."""
    limited = limits(clock, claim_rate=1, claim_burst=2, request_rate=1, request_burst=2)
    assert limited.claiming(device(1), 2)
    assert not limited.claiming(device(1), 1)
    assert limited.asking(device(1), 2)
    assert not limited.asking(device(1))
    assert limited.claiming(device(2), 1)


# On the wire.


async def test_a_flood_is_slowed_down_and_then_cut(tmp_path: Path) -> None:
    """A device that never stops sending at its limit gets DISCONNECT 0x96; another one has its PUBACK all the while."""
    values = {"device_rate": 20, "device_burst": 10, "patience": 0.5}
    async with site.relay_in(tmp_path / "relay", limits=values) as relay:
        acme = await site.register(relay, Tenant("acme.example", tmp_path))
        flooding, calm = acme.device("alice", "laptop"), acme.device("bob", "phone")
        async with connected(relay, flooding) as flood, connected(relay, calm) as other:
            with pytest.raises(AssertionError, match="MESSAGE_RATE_TOO_HIGH"):
                await _publish_for_ever(flood, calm)
            await flood.wait_closed()
            assert (await other.publish(flooding.device)).reason_code == 0


async def test_too_many_connections_are_turned_away(tmp_path: Path) -> None:
    """Beyond the limit of an address a connection is closed before TLS; when one ends, the next may come."""
    async with site.relay_in(tmp_path / "relay", limits={"connections_per_address": 2}) as relay:
        acme = await site.register(relay, Tenant("acme.example", tmp_path))
        async with connected(relay, acme.device("alice", "laptop")):
            async with connected(relay, acme.device("bob", "phone")):
                with pytest.raises(OSError):  # noqa: PT011 - reset or end of file, as the race falls
                    async with Client(relay, acme.device("carol", "phone")) as third:
                        await third.connect()
            async with connected(relay, acme.device("carol", "phone")):
                pass


async def _publish_for_ever(client: Client, recipient: Badge) -> None:
    while True:
        await client.publish(recipient.device)


def test_connections_leave_files_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """M11: however many connections are configured, there are never more than the process's open files allow for."""
    for soft, expected in ((96, 32), (10, 1), (1_000_000, 20_000), (resource.RLIM_INFINITY, 20_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert within_open_files(config.Limits()).max_connections == expected
