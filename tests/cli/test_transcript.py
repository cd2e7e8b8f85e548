"""What a chat shows."""

from datetime import UTC, datetime

from blindrelay.cli.transcript import Transcript, as_text
from blindrelay.clients.message import Message
from blindrelay.clients.receipts import Receipt, Stage
from blindrelay.protocol.address import DeviceAddress, UserAddress

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALICE, BOB = UserAddress("acme.example", "alice"), UserAddress("globex.example", "bob")
PHONE, TABLET = DeviceAddress("globex.example", "bob", "phone"), DeviceAddress("globex.example", "bob", "tablet")


def from_bob(text: str, letter: bytes = b"b" * 16) -> Message:
    """A message of bob's."""
    return Message(letter, PHONE, text, NOON, owner=None)  # type: ignore[arg-type]


def test_ticks_follow_the_receipt_and_never_go_back() -> None:
    """Accepted, delivered, read; a late word about another device changes nothing."""
    transcript = Transcript(ALICE)
    receipt = Receipt(b"a" * 16, {PHONE: Stage.WAITING, TABLET: Stage.WAITING})
    line = transcript.add_own(NOON, "hi", receipt, sealed=False)
    shown = [line.ticks]
    for device, stage in ((PHONE, Stage.ACCEPTED), (PHONE, Stage.READ), (TABLET, Stage.ACCEPTED)):
        receipt.reach(device, stage)
        if transcript.advance(receipt.id, stage):
            shown.append(line.ticks)
    assert shown == ["…", "✓", "✓✓ read"]


def test_news_about_letters_that_are_not_shown_show_nothing() -> None:
    """Receipts of other conversations, or for what somebody else wrote."""
    transcript = Transcript(ALICE)
    transcript.add_message(from_bob("hi"))
    assert transcript.advance(b"b" * 16, Stage.READ) is None
    assert transcript.advance(b"x" * 16, Stage.READ) is None
    assert transcript.retract(b"x" * 16) is None


def test_message_taken_back_loses_its_words() -> None:
    """Its line says that there was one."""
    transcript = Transcript(ALICE)
    transcript.add_message(from_bob("oops"))
    transcript.retract(b"b" * 16)
    assert "oops" not in as_text(transcript.lines[0])
    assert "(taken back)" in as_text(transcript.lines[0])
    assert not any("oops" in text for _, text in transcript.fragments())


def test_own_letters_are_found_by_number() -> None:
    """The last one by default, and never one that is taken back already."""
    transcript = Transcript(ALICE)
    for letter in (b"1" * 16, b"2" * 16):
        transcript.add_own(NOON, "x", Receipt(letter, {PHONE: Stage.WAITING}), sealed=False)
    transcript.add_message(from_bob("hi"))
    assert [getattr(transcript.own(number), "id", None) for number in (0, 1, 9)] == [b"2" * 16, b"1" * 16, None]
    transcript.retract(b"2" * 16)
    assert getattr(transcript.own(0), "id", None) == b"1" * 16


def test_words_cannot_command_the_terminal() -> None:
    """Control characters of the other side are shown as what they are."""
    transcript = Transcript(ALICE)
    transcript.add_message(from_bob("\x1b[2J\x07"))
    assert "\x1b" not in as_text(transcript.lines[0])
    assert not any("\x1b" in text for _, text in transcript.fragments())
