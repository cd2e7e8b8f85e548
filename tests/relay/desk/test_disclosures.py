"""The log `lawful-access`: steps of cases are committed to with their rows, told of when they may be, and proved."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from blindrelay.clients.authority.receipt import ReceiptRejected, verify
from blindrelay.policies import leaves
from blindrelay.policies.leaves import Commitment, DecisionTold, Receipt, RequestTold, SettledTold, Told, WithdrawalTold
from blindrelay.policies.vocabulary import Outcome
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.relay.cluster import identity
from blindrelay.relay.config import Logs
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.disclosures import Disclosures
from blindrelay.relay.desk.errors import CaseNotFound, NothingToFetch, NotPublished
from blindrelay.relay.desk.journal import FILE_NAME, Journal
from blindrelay.relay.transparency.keys import FOLDER as KEYS
from blindrelay.relay.transparency.keys import open_keys
from support.clerks import DAY, Office, approve_all, refused

GAG = {"non_disclosure": {"legal_basis": "18 USC 2705(b)", "until": None}}


def entries(desk: Desk) -> list[leaves.Leaf]:
    """The log, as anybody reads it."""
    return [leaves.parse(body) for body in desk.journal.log_entries(0)]


def told(desk: Desk) -> list[Told]:
    """What has been told of."""
    return [entry for entry in entries(desk) if not isinstance(entry, Commitment)]


def commitments(desk: Desk) -> int:
    """How many there are."""
    return sum(isinstance(entry, Commitment) for entry in entries(desk))


async def test_each_step_is_committed_to_and_told_of(desk: Desk, office: Office) -> None:
    """Request, decision, package, release and end of a case are in the log in this order, each told of by its index."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    await desk.fetch("us-court", view.case_id, "d1", "call-1")

    found = sorted(told(desk), key=lambda each: each.index)
    assert [each.kind for each in found][:2] == ["request", "decision"]
    assert {each.kind for each in found} >= {"request", "decision", "package", "settled", "release"}
    assert len({each.case for each in found}) == 1
    assert len({each.index for each in found}) == len(found) == commitments(desk)
    (request,) = [each for each in found if isinstance(each, RequestTold)]
    assert (request.jurisdiction, request.instrument, request.emergency) == ("us", "us/d-order", False)
    assert request.received == office.now.date()


async def test_nothing_in_it_names_anybody(desk: Desk, office: Office) -> None:
    """No case, authority, officer, reference or account can be read from it, nor be found out by trying."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    await desk.fetch("us-court", view.case_id, "d1", "call-1")
    whole = b"\n".join(desk.journal.log_entries(0)).decode()

    for secret in (view.case_id, view.request_id, "us-court", "J. Doe", "26-cv-1", "bob", "globex"):
        assert secret not in whole
        assert sha256(secret.encode()).hexdigest() not in whole


async def test_a_case_that_must_not_be_told_of_is_commitments_alone(desk: Desk, office: Office) -> None:
    """While an order forbids it, nothing is told; when it ends, everything is, as it was at each step."""
    until = office.now + 30 * DAY
    gag = {"non_disclosure": {"legal_basis": "18 USC 2705(b)", "until": until}}
    view = await desk.receive(office.signed(office.request(**gag)))
    await approve_all(desk, view)
    await desk.fetch("us-court", view.case_id, "d1", "call-1")
    assert told(desk) == []
    before = commitments(desk)
    assert before >= 4

    office.clock.advance(31 * DAY.total_seconds())
    await desk.tick()

    kinds = [each.kind for each in sorted(told(desk), key=lambda each: each.index)]
    assert kinds[:2] == ["request", "decision"]
    assert "release" in kinds


async def test_an_open_gag_is_never_told_of(desk: Desk, office: Office) -> None:
    """Without an end nobody knows when, and nobody is told."""
    await desk.receive(office.signed(office.request(**GAG)))
    office.clock.advance(400 * DAY.total_seconds())
    await desk.tick()
    assert told(desk) == []


async def test_a_test_of_an_authoritys_is_not_told_of(desk: Desk, office: Office) -> None:
    """It is in no report, so it is in no count."""
    await desk.receive(office.signed(office.request(is_test=True)))
    assert told(desk) == []
    assert commitments(desk) > 0


async def test_silence_and_decoys_look_alike(desk: Desk, office: Office) -> None:
    """A commitment to nothing has the form of one to something, so that what is not told of cannot be counted."""
    for hour in range(200):
        office.clock.advance(3_600)
        await desk.tick()
        del hour
    decoys = commitments(desk)
    await desk.receive(office.signed(office.request(**GAG)))

    assert 20 < decoys < 200
    bodies = {len(body) for body in desk.journal.log_entries(0)}
    assert len(bodies) == 1


async def test_what_is_refused_is_told_of_too(desk: Desk, office: Office) -> None:
    """With the ground."""
    office.script.outcomes["d1"] = lambda _facts: refused()
    await desk.receive(office.signed(office.request()))
    (decision,) = [each for each in told(desk) if isinstance(each, DecisionTold)]
    assert [demand.outcome for demand in decision.demands] == [Outcome.REFUSED]
    assert [each.seconds for each in told(desk) if isinstance(each, SettledTold)] == [0]


async def test_a_withdrawal_changes_what_came_of_it(desk: Desk, office: Office) -> None:
    """The last word on the demands is that they were withdrawn."""
    view = await desk.receive(office.signed(office.request()))
    office.clock.advance(3_600)
    await desk.withdraw("us-court", view.case_id)
    (last,) = [each for each in told(desk) if isinstance(each, WithdrawalTold)]
    assert [demand.outcome for demand in last.demands] == [Outcome.WITHDRAWN]
    assert last.seconds == 3_600


async def test_a_crash_before_the_telling_loses_nothing(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commitment is in the transaction of the row; what was not told of is told of by the next desk, once."""

    async def killed(_case: object) -> None:
        raise OSError(5, "killed")

    monkeypatch.setattr(desk.cases, "_written", killed)
    with pytest.raises(OSError, match="killed"):
        await desk.receive(office.signed(office.request()))
    assert (commitments(desk), told(desk)) == (1, [])
    await desk.close()

    again = office.desk()
    await again.start()
    kinds = [each.kind for each in told(again)]
    assert kinds.count("request") == 1
    await again.close()
    third = office.desk()
    await third.start()
    assert [each.kind for each in told(third)] == kinds
    await third.close()


async def test_a_row_that_cannot_be_written_leaves_no_entry(desk: Desk, office: Office) -> None:
    """Nor an entry a row: both are in one transaction."""
    view = await desk.receive(office.signed(office.request()))
    before = desk.journal.log_size()
    with pytest.raises(Exception, match="happened before"):
        desk.journal.append(
            view.case_id,
            "us-court",
            office.now,
            "received",
            desk.cases.rows(view.case_id)[0].body,
            f"request/us-court/{view.request_id}",
            lambda *row: leaves.Opening(step="request", case=UUID(row[0]), sequence=row[1], row="0" * 64),
        )
    assert desk.journal.log_size() == before


@pytest.mark.parametrize("action", ["UPDATE log_entry SET body = x'00'", "DELETE FROM log_entry"])
async def test_the_database_refuses_to_change_an_entry(desk: Desk, office: Office, action: str) -> None:
    """Whoever writes to the file."""
    await desk.receive(office.signed(office.request()))
    with (
        sqlite3.connect(office.folder / FILE_NAME) as connection,
        pytest.raises(sqlite3.IntegrityError, match="added to"),
    ):
        connection.execute(action)
    connection.close()


async def test_a_case_file_without_a_log_gets_one(desk: Desk, office: Office) -> None:
    """What a release before the log has written down is committed to, and told of, when this one opens it."""
    view = await desk.receive(office.signed(office.request()))
    before = {each.kind for each in told(desk)}
    await desk.close()
    with sqlite3.connect(office.folder / FILE_NAME) as connection:
        connection.execute("DROP TABLE log_opening")
        connection.execute("DROP TABLE log_entry")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    (office.folder / "logs" / "lawful-access" / "checkpoint").unlink()

    later = office.desk()
    await later.start()
    assert {each.kind for each in told(later)} == before
    assert (await settled_receipt(later, view.case_id)) is None
    await later.close()


async def settled_receipt(desk: Desk, case_id: str) -> Receipt | None:
    """The receipt of the case's first demand, if it has a package."""
    try:
        return await desk.receipt("us-court", case_id, "d1")
    except NothingToFetch:
        return None


# Receipts, and what an authority makes of them.


@pytest.fixture
def published(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every checkpoint that the world was shown of the log: what is out now, and whatever comes."""
    log = desk.disclosures.log
    notes, publish = [log.published.note], log.shelf.publish

    def noted(note: bytes) -> None:
        notes.append(note)
        publish(note)

    monkeypatch.setattr(log.shelf, "publish", noted)
    return notes


@pytest.fixture
async def disclosed(desk: Desk, office: Office) -> tuple[Receipt, Trust, dict[str, object]]:
    """A receipt, by what its log is verified, and what it is a receipt of."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    path = await desk.fetch("us-court", view.case_id, "d1", "call-1")
    receipt = await desk.receipt("us-court", view.case_id, "d1")
    digest = sha256(path.read_bytes()).hexdigest()
    return receipt, Trust.parse(receipt.policy), {"case": UUID(view.case_id), "demand": "d1", "package": digest}


async def test_a_receipt_proves_package_request_and_decision(
    published: list[bytes], disclosed: tuple[Receipt, Trust, dict[str, object]]
) -> None:
    """Against a checkpoint that everybody was shown. By now another may be out."""
    receipt, trust, what = disclosed
    verify(receipt, trust, **what)  # type: ignore[arg-type]
    assert receipt.checkpoint in published  # size, root and signatures
    assert [each.opening.step for each in receipt.entries] == ["request", "decision", "package"]


Spoil = Callable[[Receipt, dict[str, object]], tuple[Receipt, dict[str, object]]]


def without(step: str) -> Spoil:
    """A receipt that leaves something out."""
    return lambda receipt, what: (
        receipt.model_copy(update={"entries": tuple(e for e in receipt.entries if e.opening.step != step)}),
        what,
    )


def with_opening(step: str, **changes: object) -> Spoil:
    """A receipt that says something else of an entry."""

    def spoil(receipt: Receipt, what: dict[str, object]) -> tuple[Receipt, dict[str, object]]:
        changed = tuple(
            e.model_copy(update={"opening": e.opening.model_copy(update=changes)}) if e.opening.step == step else e
            for e in receipt.entries
        )
        return receipt.model_copy(update={"entries": changed}), what

    return spoil


def asked(**changes: object) -> Spoil:
    """Something else is asked about."""
    return lambda receipt, what: (receipt, {**what, **changes})


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (without("package"), "package"),
        (without("request"), "order"),
        (without("decision"), "order"),
        (asked(package="0" * 64), "package"),  # two packages under one entry
        (asked(demand="d2"), "package"),
        (asked(case=UUID(int=0)), "case"),
        (asked(requests=frozenset({"0" * 64})), "request"),
        (with_opening("package", document="0" * 64), "inclusion"),
        (with_opening("decision", row="0" * 64), "inclusion"),
        (lambda receipt, what: (receipt.model_copy(update={"checkpoint": b"no note"}), what), "checkpoint"),
    ],
)  # fmt: skip
async def test_a_receipt_that_does_not_hold_is_rejected(
    disclosed: tuple[Receipt, Trust, dict[str, object]], spoil: Spoil, check: str
) -> None:
    """The error says which check failed."""
    receipt, trust, what = disclosed
    spoiled, asked_for = spoil(receipt, what)
    with pytest.raises(ReceiptRejected) as caught:
        verify(spoiled, trust, **asked_for)  # type: ignore[arg-type]
    assert caught.value.check == check


async def test_a_receipt_is_for_whose_case_it_is(desk: Desk, office: Office) -> None:
    """Another authority does not learn that there is one."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    with pytest.raises(CaseNotFound):
        await desk.receipt("us-police", view.case_id, "d1")
    with pytest.raises(NothingToFetch):
        await desk.receipt("us-court", view.case_id, "d9")


async def test_nothing_is_handed_over_before_it_is_published(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A witness that does not answer keeps packages in; when it is not wanted any more, they can go."""
    monkeypatch.setattr("blindrelay.relay.desk.disclosures._PATIENCE", 0.05)
    witness = SigningKey.generate("witness.example", Algorithm.COSIGNATURE).verifier
    line = f"witness silent {witness} http://127.0.0.1:1"
    desk = opened_with(office, Logs(witnesses=[line]))
    await desk.start()
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)

    with pytest.raises(NotPublished):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")
    assert "released" not in [row.step for row in desk.cases.rows(view.case_id)]
    await desk.close()

    later = opened_with(office, Logs(witnesses=[line], quorum=0))
    await later.start()
    assert (await later.fetch("us-court", view.case_id, "d1", "call-2")).exists()
    await later.close()


def opened_with(office: Office, logs: Logs) -> Desk:
    """A desk whose logs are published so."""
    desk = office.desk()
    desk.disclosures._settings = logs
    return desk


Deed = Callable[[Desk], Awaitable[object]]


async def test_every_disclosure_has_its_entries_however_often_it_is_interrupted(office: Office) -> None:
    """A desk that is opened anew between any two deeds has told of everything, once, at the end."""
    desk = office.desk()
    await desk.start()
    view = await desk.receive(office.signed(office.request(office.demand("d1"), office.demand("d2", "preserve"))))
    deeds: list[Deed] = [
        lambda desk: desk.approve("ada", view.case_id, "d1"),
        lambda desk: desk.approve("bea", view.case_id, "d1"),
        lambda desk: desk.fetch("us-court", view.case_id, "d1", "call-1"),
        lambda desk: desk.tick(office.now + timedelta(days=2)),
    ]
    for deed in deeds:
        await deed(desk)
        await desk.close()
        desk = office.desk()
        await desk.start()
    kinds = [each.kind for each in told(desk)]
    assert kinds.count("request") == kinds.count("package") == kinds.count("release") == 1
    assert len({each.index for each in told(desk)}) == len(kinds)
    await desk.close()


async def test_the_log_is_one_history_over_restarts(office: Office) -> None:
    """Each checkpoint continues the one before."""
    sizes = []
    for _ in range(3):
        desk = office.desk()
        await desk.start()
        old = desk.disclosures.log.published
        await desk.receive(office.signed(office.request()))
        async with asyncio.timeout(10):
            await desk.disclosures.log.wait_published(desk.journal.log_size() - 1)
        new = desk.disclosures.log.published
        assert desk.disclosures.log.consistency(old.checkpoint.size, new) is not None
        sizes.append(new.checkpoint.size)
        await desk.close()
    assert sizes == sorted(sizes)


async def test_nodes_of_one_relay_sign_with_the_key_that_they_have_in_common(tmp_path: Path) -> None:
    """Whichever of them has the desk: the log's key is in the identity directory, and none is made beside it."""
    identity.create(tmp_path / "identity", SystemClock(), origin="relay.example/2026")
    data = tmp_path / "data"
    data.mkdir()
    journal = Journal.open(data)
    disclosures = Disclosures(journal, data, Logs(), SystemClock(), tmp_path / "identity")
    await disclosures.open(lambda _: pytest.fail("there is no case"))
    try:
        (key,) = open_keys(tmp_path / "identity" / KEYS, leaves.NAME, None)
        assert disclosures.log.settings.trust.log == key.verifier
        assert not (data / KEYS).exists()
    finally:
        await disclosures.close()
        journal.close()
