"""The oracle on histories made by hand: it is silent about a good one, and each invariant is seen violated."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.chaos.history import Disturbance, History, Level, StoreView
from blindrelay.proofs.chaos.journal import Entry, Kind
from blindrelay.proofs.chaos.oracle import Invariant, examine

ALICE, BOB, CAROL = "acme.example/alice/laptop", "globex.example/bob/phone", "acme.example/carol/desk"


def connected(at: float, client: str, connection: int = 1, *, resumed: bool = False, receive_max: int = 20) -> Entry:
    return Entry(at, Kind.CONNECTED, client, connection, resumed=resumed, receive_max=receive_max)


def closed(at: float, client: str, connection: int = 1, *, own: bool = True, code: int = 0) -> Entry:
    return Entry(at, Kind.CLOSED, client, connection, own=own, code=code)


def intent(at: float, n: int, *, ttl: int | None = None, connection: int = 1) -> Entry:
    return Entry(
        at, Kind.INTENT, ALICE, connection, f"id{n}", recipient=BOB, number=n, digest=f"hash{n}", ttl=ttl, packet_id=n
    )


def sent(at: float, n: int, kind: Kind, *, code: int = 0) -> Entry:
    return Entry(at, kind, ALICE, 1, f"id{n}", code=code)


def got(
    at: float,
    n: int,
    kind: Kind,
    *,
    connection: int = 1,
    client: str = BOB,
    packet_id: int = 0,
    dup: bool = False,
    ttl: int | None = None,
) -> Entry:
    digest = "" if kind is Kind.CONFIRMED else f"hash{n}"
    return Entry(
        at, kind, client, connection, f"id{n}", digest=digest, packet_id=packet_id or n + 100, dup=dup, ttl=ttl
    )


def history(*entries: Entry, **changes: object) -> History:
    """A history whose store is what it should be after these entries, unless `changes` say otherwise."""
    traffic = Counter(entry.message_id for entry in entries if entry.kind is Kind.ACKED)
    base = History(entries, (), StoreView(traffic=traffic), produced_until=50.0, end=60.0)
    return replace(base, **changes)  # type: ignore[arg-type]


def delivered(at: float, n: int) -> tuple[Entry, ...]:
    """A message that goes as it should."""
    return (
        intent(at, n),
        sent(at + 0.1, n, Kind.ACKED),
        got(at + 0.2, n, Kind.WIRE),
        got(at + 0.2, n, Kind.HANDED),
        got(at + 0.3, n, Kind.CONFIRMED),
    )


UP = (connected(0, ALICE), connected(0, BOB))
GOOD = (*UP, *delivered(1, 1), *delivered(2, 2), closed(60, ALICE), closed(60, BOB))


def found(case: History) -> set[Invariant]:
    return {finding.invariant for finding in examine(case)}


def test_a_good_run_has_no_findings() -> None:
    """What should be is not reported."""
    assert examine(history(*GOOD)) == []


SMALL, LARGE = Level(50 << 20, 20, 5), Level(200 << 20, 20, 5)

VIOLATIONS: list[tuple[str, Invariant, History]] = [
    ("lost", Invariant.I1, history(*UP, intent(1, 1), sent(1.1, 1, Kind.ACKED))),
    (
        "lost long before its expiry",
        Invariant.I1,
        history(*UP, intent(1, 1, ttl=3_600), sent(1.1, 1, Kind.ACKED)),
    ),
    ("doubled", Invariant.I2, history(*UP, *delivered(1, 1), got(2, 1, Kind.HANDED, packet_id=7))),
    ("phantom", Invariant.I3, history(*UP, got(1, 9, Kind.WIRE))),
    (
        "given to somebody else",
        Invariant.I3,
        history(*UP, connected(0, CAROL), *delivered(1, 1), got(2, 1, Kind.HANDED, client=CAROL)),
    ),
    (
        "altered",
        Invariant.I3,
        history(*UP, intent(1, 1), replace(got(2, 1, Kind.HANDED), digest="other")),
    ),
    (
        "out of order",
        Invariant.I4,
        history(*UP, intent(1, 1), intent(1, 2), got(2, 2, Kind.HANDED), got(3, 1, Kind.HANDED)),
    ),
    (
        "refused, and handed over",
        Invariant.I5,
        history(*UP, intent(1, 1), sent(1.1, 1, Kind.REFUSED, code=0x97), got(2, 1, Kind.HANDED)),
    ),
    (
        "handed over after its expiry",
        Invariant.I6,
        history(*UP, intent(1, 1, ttl=2), sent(1.1, 1, Kind.ACKED), got(9, 1, Kind.HANDED)),
    ),
    (
        "what is left grows",
        Invariant.I6,
        history(
            *UP,
            intent(1, 1, ttl=60),
            got(2, 1, Kind.WIRE, ttl=50),
            connected(3, BOB, 2, resumed=True),
            got(4, 1, Kind.WIRE, connection=2, dup=True, ttl=52),
        ),
    ),
    (
        "nothing left",
        Invariant.I6,
        history(*UP, intent(1, 1, ttl=60), got(2, 1, Kind.WIRE, ttl=0)),
    ),
    ("before CONNACK", Invariant.I7, history(connected(0, ALICE), intent(1, 1), got(2, 1, Kind.WIRE))),
    (
        "sent again on a live connection",
        Invariant.I7,
        history(*UP, intent(1, 1), got(2, 1, Kind.WIRE), got(3, 1, Kind.WIRE, dup=True)),
    ),
    (
        "one packet id for two",
        Invariant.I7,
        history(*UP, intent(1, 1), intent(1, 2), got(2, 1, Kind.WIRE, packet_id=5), got(3, 2, Kind.WIRE, packet_id=5)),
    ),
    (
        "resent with DUP 0",
        Invariant.I7,
        history(
            *UP,
            intent(1, 1),
            got(2, 1, Kind.WIRE),
            connected(3, BOB, 2, resumed=True),
            got(4, 1, Kind.WIRE, connection=2),
        ),
    ),
    (
        "resent under another id",
        Invariant.I7,
        history(
            *UP,
            intent(1, 1),
            got(2, 1, Kind.WIRE),
            connected(3, BOB, 2, resumed=True),
            got(4, 1, Kind.WIRE, connection=2, packet_id=9, dup=True),
        ),
    ),
    ("DUP 1 at first", Invariant.I7, history(*UP, intent(3, 1), got(4, 1, Kind.WIRE, dup=True))),
    (
        "more than Receive Maximum",
        Invariant.I7,
        history(
            connected(0, ALICE),
            connected(0, BOB, receive_max=1),
            intent(1, 1),
            intent(1, 2),
            got(2, 1, Kind.WIRE),
            got(2, 2, Kind.WIRE),
        ),
    ),
    (
        "the old connection still receives",
        Invariant.I7,
        history(*UP, intent(1, 1), connected(2, BOB, 2), got(9, 1, Kind.WIRE, connection=1), closed(10, BOB)),
    ),
    ("the old connection lives on", Invariant.I7, history(*UP, connected(2, BOB, 2), closed(9, BOB))),
    (
        "the store forgets nothing",
        Invariant.I8,
        history(*UP, *delivered(1, 1), store=StoreView(frozenset({"id1"}), Counter({"id1": 1}))),
    ),
    (
        "a payload is left in a free page",
        Invariant.I8,
        history(
            *UP, *delivered(1, 1), store=StoreView(traffic=Counter({"id1": 1}), remains=frozenset({(ALICE, BOB, 1)}))
        ),
    ),
    (
        "two traffic records",
        Invariant.I8,
        history(*UP, *delivered(1, 1), store=StoreView(traffic=Counter({"id1": 2}))),
    ),
    ("no traffic record", Invariant.I8, history(*UP, *delivered(1, 1), store=StoreView())),
    (
        "traffic that nobody sent",
        Invariant.I8,
        history(*UP, store=StoreView(traffic=Counter({"id1": 1}))),
    ),
    (
        "a record of a refused message",
        Invariant.I8,
        history(*UP, intent(1, 1), sent(1.1, 1, Kind.REFUSED, code=0x97), store=StoreView(traffic=Counter({"id1": 1}))),
    ),
    ("damaged store", Invariant.I9, history(*UP, store=StoreView(damage=("row 3 missing from index",)))),
    ("memory", Invariant.I10, history(*UP, before=SMALL, after=LARGE)),
    ("files", Invariant.I10, history(*UP, before=SMALL, after=replace(SMALL, descriptors=90))),
    ("threads", Invariant.I10, history(*UP, before=SMALL, after=replace(SMALL, threads=60))),
    ("no service after a heal", Invariant.I10, history(*UP, disturbances=(Disturbance("kill -9", 1, 2, severs=True),))),
    (
        "a connection ended by itself",
        Invariant.I11,
        history(*UP, *delivered(1, 1), closed(5, BOB, own=False)),
    ),
    (
        "sent again long after its PUBACK",
        Invariant.I11,
        history(
            *UP,
            *delivered(1, 1),
            closed(30, BOB),
            connected(31, BOB, 2, resumed=True),
            got(32, 1, Kind.WIRE, connection=2, dup=True),
        ),
    ),
]


@pytest.mark.parametrize(("invariant", "case"), [case[1:] for case in VIOLATIONS], ids=[case[0] for case in VIOLATIONS])
def test_each_violation_is_found_and_named(invariant: Invariant, case: History) -> None:
    """Every way in which a run can be wrong is reported under the invariant that it breaks."""
    assert invariant in found(case)


def test_every_invariant_has_been_seen_violated() -> None:
    """An invariant without a violation above would be one that nobody knows to work."""
    assert {invariant for _, invariant, _ in VIOLATIONS} == set(Invariant)


def test_a_repeat_after_a_cut_is_no_violation() -> None:
    """A message whose PUBACK was lost with its connection comes again, with DUP 1 and its packet id, and is fine."""
    case = history(
        *UP,
        *delivered(1, 1),
        closed(1.5, BOB, own=False),
        connected(2, BOB, 2, resumed=True),
        got(3, 1, Kind.WIRE, connection=2, dup=True),
        got(3, 1, Kind.CONFIRMED, connection=2),
        *delivered(2.5, 2)[:2],
        got(4, 2, Kind.HANDED, connection=2),
        closed(60, BOB, 2),
        closed(60, ALICE),
        disturbances=(Disturbance("reset", 1.4, 1.4, severs=True),),
    )
    assert examine(case) == []


def test_what_came_in_late_because_the_relay_was_stopped_is_no_violation() -> None:
    """Expiry is judged by what the relay could do: bytes under way when it is frozen arrive when it is not."""
    entries = (*UP, intent(1, 1, ttl=2), sent(1.1, 1, Kind.ACKED), got(9, 1, Kind.WIRE, ttl=1), got(9, 1, Kind.HANDED))
    frozen = Disturbance("SIGSTOP", 2, 8.5, delays=True)
    assert Invariant.I6 in found(history(*entries))
    assert Invariant.I6 not in found(history(*entries, disturbances=(frozen,)))


def test_what_comes_in_late_on_an_older_connection_is_no_violation() -> None:
    """Whoever comes back over a slow network may read what was sent to the new connection before the rest of the old one."""
    late = got(4, 1, Kind.WIRE, connection=1, dup=True, ttl=52)
    entries = (
        *UP,
        intent(1, 1, ttl=60),
        connected(2, BOB, 2, resumed=True),
        got(3, 1, Kind.WIRE, connection=2, ttl=50),
    )
    assert Invariant.I6 not in found(history(*entries, late))
    assert Invariant.I6 in found(history(*entries, replace(late, connection=2)))


def test_an_unknown_outcome_may_be_missing_or_there() -> None:
    """Without a PUBACK nothing is promised, in either direction."""
    absent = history(*UP, intent(1, 1), sent(2, 1, Kind.UNKNOWN))
    there = replace(absent, store=StoreView(traffic=Counter({"id1": 1})))
    assert found(absent) == found(there) == set()


@given(order=st.permutations(range(1, 7)))
def test_any_order_but_the_right_one_is_reported(order: list[int]) -> None:
    """Of all the ways to hand over six messages, one keeps I4."""
    intents = [intent(1, n) for n in range(1, 7)]
    handed = [got(2 + i, n, Kind.HANDED) for i, n in enumerate(order)]
    assert (Invariant.I4 in found(history(*UP, *intents, *handed))) == (order != sorted(order))


@given(handed=st.lists(st.integers(1, 5), max_size=12), acked=st.sets(st.integers(1, 5)))
def test_loss_and_doubling_are_counted_exactly(handed: list[int], acked: set[int]) -> None:
    """Whatever is acknowledged and absent is a loss; whatever is there twice is a double; nothing else is either."""
    entries = [
        *(intent(1, n) for n in range(1, 6)),
        *(sent(2, n, Kind.ACKED) for n in sorted(acked)),
        *(got(3, n, Kind.HANDED) for n in handed),
    ]
    findings = examine(history(*UP, *entries))
    assert sum(finding.invariant is Invariant.I1 for finding in findings) == len(acked - set(handed))
    assert sum(finding.invariant is Invariant.I2 for finding in findings) == sum(
        count > 1 for count in Counter(handed).values()
    )


def test_a_connection_may_be_taken_over_by_an_attempt_that_its_client_gave_up() -> None:
    """The relay hears of it later than of the next one; without one, nobody has taken it over."""
    taken = closed(5, BOB, 2, own=False, code=0x8E)
    good = history(
        *UP, closed(1, BOB), Entry(2, Kind.KNOCKED, BOB, 3), Entry(4, Kind.KNOCKED, BOB, 2), connected(4, BOB, 2), taken
    )
    assert examine(good) == []
    (finding,) = examine(history(*UP, closed(1, BOB), Entry(4, Kind.KNOCKED, BOB, 2), connected(4, BOB, 2), taken))
    assert finding.invariant is Invariant.I11


def test_a_connection_may_be_taken_over_long_before_the_other_one_is_let_in() -> None:
    """Whoever takes a session over waits for the database, which may be away just then."""
    taken = closed(5.1, BOB, 1, own=False, code=0x8E)
    assert examine(history(*UP, Entry(5, Kind.KNOCKED, BOB, 2), taken, connected(9, BOB, 2))) == []
    (finding,) = examine(history(*UP, Entry(6, Kind.KNOCKED, BOB, 2), taken, connected(9, BOB, 2)))
    assert finding.invariant is Invariant.I11


def test_what_nobody_may_look_into_is_not_judged() -> None:
    """The store of somebody else's deployment."""
    assert examine(history(*UP, *delivered(1, 1), store=None)) == []
