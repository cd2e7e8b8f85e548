"""What is compared of two worlds, and what is not."""

from blindrelay.proofs.worlds import seen


def traffic(number: int, message: str, sender: str = "None", at: int = 5) -> dict[str, str]:
    """A row, as worlds have it."""
    return {"id": str(number), "message_id": message, "sender_id": sender, "accepted_at": str(at)}


def test_anonymous_envelopes_of_the_same_second_come_in_any_order() -> None:
    """They come over connections of their own, at the same time."""
    one = [traffic(1, "b"), traffic(2, "a"), traffic(3, "c", at=6)]
    other = [traffic(1, "a"), traffic(2, "b"), traffic(3, "c", at=6)]

    assert seen._without_races(one) == seen._without_races(other) == other


def test_of_others_the_order_counts() -> None:
    """A sender's own connection keeps it."""
    one = [traffic(1, "b", "7"), traffic(2, "a", "7")]

    assert seen._without_races(one) == one


def test_people_change_places_in_tables_and_packages() -> None:
    """Numbers of accounts as tables have them, and as records do; names anywhere."""
    value = [{"sender_id": "'3'", "note": "carol to derek"}, {"recipient_id": 3, "size": 3}, {"account_id": None}]

    renamed = seen._renamed(value, {"'3'": "'4'", "3": "4"})

    assert renamed == [
        {"sender_id": "'4'", "note": "derek to carol"},
        {"recipient_id": 4, "size": 3},
        {"account_id": None},
    ]
