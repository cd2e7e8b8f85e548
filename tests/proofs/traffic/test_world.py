"""A morning through a real relay, and the model that is held to it."""

from collections import Counter

import pytest

from blindrelay.clients.options import Options, Posture
from blindrelay.proofs.traffic.model import Model, size
from blindrelay.proofs.traffic.notes import Notes, Played
from blindrelay.proofs.traffic.records import Kind, Traffic, kept
from blindrelay.proofs.traffic.world import play, scenario

LETTERS = 8


@pytest.fixture(scope="module")
def morning() -> Notes:
    """Eight sealed letters, and everything that they cause."""
    return play(scenario(LETTERS), Posture.SEALED)


def envelopes(traffic: Traffic, kind: Kind) -> list[float]:
    """When those of a kind left."""
    return [seen.at for seen, truth in traffic if truth.kind is kind]


def test_the_relay_keeps_what_the_observer_is_said_to_have(morning: Notes) -> None:
    """Its database has each envelope: to the second, with its size, and without a sender."""
    seen = {message_id: each for message_id, each in morning.seen.items() if morning.began <= each.at <= morning.ended}
    assert seen
    for message_id, each in seen.items():
        row, (coarse,) = morning.kept[message_id], kept([each])
        assert (row.sender, row.recipient, row.size) == (None, coarse.recipient, coarse.size)


def test_every_letter_and_every_receipt_is_accounted_for(morning: Notes) -> None:
    """A letter for each device of each recipient; a receipt from each of those devices, and one when it was read."""
    kinds = Counter(truth.kind for truth in morning.traffic().truth)
    recipients = scenario(LETTERS).messages

    assert kinds[Kind.LETTER] >= recipients
    assert 0 < kinds[Kind.RECEIPT] <= kinds[Kind.LETTER] + recipients
    assert kinds[Kind.QUESTION] == 0


def test_receipts_wait_as_the_clients_habits_say(morning: Notes) -> None:
    """None leaves within a minute of its letter, by the clients' own clock; the wall's has shown less than they waited for."""
    traffic, wait = morning.traffic(), Options().hygiene.receipt[0]
    first: dict[str, float] = {}
    for seen, truth in traffic:
        if truth.kind is Kind.LETTER:
            first.setdefault(truth.letter, seen.at)

    waits = [seen.at - first[truth.letter] for seen, truth in traffic if truth.kind is Kind.RECEIPT]
    assert min(waits) >= wait
    assert max(waits) > 600


def test_the_model_sends_what_the_clients_send(morning: Notes) -> None:
    """As many envelopes of each kind, but for receipts that real clients gather, and the draw of who has two devices."""
    model = Model(scenario(LETTERS), Posture.SEALED).play()

    real, modelled = (Counter(truth.kind for truth in each.truth) for each in (morning.traffic(), model))
    assert modelled.keys() == real.keys() | {Kind.COPY}
    assert modelled[Kind.LETTER] == pytest.approx(real[Kind.LETTER], rel=0.4)
    assert modelled[Kind.RECEIPT] == pytest.approx(real[Kind.RECEIPT], rel=0.5)


def test_the_model_weighs_as_the_clients_do(morning: Notes) -> None:
    """Size by length of content: as the real ones, but where the small change of a frame tips it over into the next bucket."""
    close = [size(length) == weight for _, length, weight in morning.sizes]
    assert sum(close) / len(close) > 0.95


def test_what_came_of_it_survives_the_way_between_processes(morning: Notes) -> None:
    """As JSON."""
    played = Played.of(morning)

    assert Played.model_validate_json(played.model_dump_json()) == played


@pytest.mark.parametrize("posture", list(Posture))
def test_the_model_writes_down_senders_in_one_posture_alone(posture: Posture) -> None:
    """Sealed is without them, and has connections that end; standard has one for each device."""
    traffic = Model(scenario(30), posture).play()

    known = {seen.sender is not None for seen in traffic.seen}
    assert known == {posture is Posture.STANDARD}
    connections = {seen.connection for seen in traffic.seen}
    devices = {truth.sender for truth in traffic.truth}
    assert (connections == devices) is (posture is Posture.STANDARD)
