"""The envelope: opens for whom it is for under its own id, and for nobody else in any other form."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blindrelay.clients import envelope
from blindrelay.clients.envelope import OVERHEAD, Frame, Introduction, SealingKeyPair, check_sealing_key, seal, unseal
from blindrelay.clients.errors import ContentTooLarge, EnvelopeRejected
from blindrelay.clients.ratchet import NORMAL, PREKEY, OlmMessage
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.sizes import BUCKETS, MAX_ENVELOPE
from blindrelay.protocol.statements import Signed

ALICE = DeviceAddress.parse("acme.example/alice/laptop")
BOB = DeviceAddress.parse("globex.example/bob/phone")
ID = bytes(range(16))
PAIR = SealingKeyPair.generate()
SAMPLE = Frame(ALICE, OlmMessage(NORMAL, b"ciphertext"))
SEALED = seal(SAMPLE, BOB, ID, PAIR.public)

INTRODUCTIONS = st.builds(
    Introduction,
    st.binary(max_size=2_000),
    st.builds(Signed, body=st.binary(max_size=3_000), signature=st.binary(max_size=80)),
)
FRAMES = st.builds(
    Frame, st.just(ALICE), st.builds(OlmMessage, st.just(NORMAL), st.binary(max_size=9_000))
) | st.builds(
    Frame,
    st.just(ALICE),
    st.builds(OlmMessage, st.just(PREKEY), st.binary(max_size=9_000)),
    st.none() | INTRODUCTIONS,
)


@given(FRAMES)
@settings(max_examples=50, deadline=None)
def test_what_is_sealed_comes_out(frame):
    """Every frame comes out as it went in, and the envelope is a bucket of 2,048 bytes at least."""
    sealed = seal(frame, BOB, ID, PAIR.public)
    assert len(sealed) in BUCKETS
    assert len(sealed) >= 2_048
    assert unseal(sealed, BOB, ID, (PAIR,)) == frame


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_any_changed_byte_is_noticed(position, change):
    """An envelope with any byte changed is rejected with the typed error, and nothing else."""
    altered = bytearray(SEALED)
    altered[position] ^= change
    with pytest.raises(EnvelopeRejected):
        unseal(bytes(altered), BOB, ID, (PAIR,))


@given(st.binary(max_size=4_000))
@settings(max_examples=100, deadline=None)
@example(bytes(2_048))
@example(b"\xff" * 4_096)
def test_any_bytes_are_rejected(data):
    """Any bytes that are no envelope are rejected with the typed error, and nothing else."""
    with pytest.raises(EnvelopeRejected):
        unseal(data, BOB, ID, (PAIR,))


@given(st.binary(max_size=600))
@settings(max_examples=300, deadline=None)
@example(b"\x01\x00\x01a")
@example(b"\x01\x03\x01a")
@example(b"\x01\x02\x19acme.example/alice/laptop\x00\x00\x00\x00\x00\x00\x00\x00\xff")
def test_any_frame_is_parsed_or_rejected(data):
    """Whatever a sender puts inside the seal is a frame or is rejected with the typed error; a frame has one form."""
    try:
        frame = envelope._decode(data)
    except EnvelopeRejected:
        return
    assert envelope._encode(frame).ljust(len(data), b"\0") == data


@pytest.mark.parametrize(
    ("recipient", "identifier"),
    [
        (BOB, bytes(16)),
        (ALICE, ID),
        (DeviceAddress.parse("globex.example/eve/phone"), ID),
        (DeviceAddress.parse("globex.example/bob/phone2"), ID),
    ],
)
def test_bound_to_recipient_and_id(recipient, identifier):
    """An envelope under another id, or for another device with the same key, does not open."""
    with pytest.raises(EnvelopeRejected) as caught:
        unseal(SEALED, recipient, identifier, (PAIR,))
    assert caught.value.check == "seal"


def test_recipient_and_id_cannot_run_into_each_other():
    """What is bound is unambiguous: no other pair of recipient and id gives the same info."""
    longer = DeviceAddress.parse("globex.example/bob/phone0")
    assert envelope._info(BOB, b"0" + bytes(15)) != envelope._info(longer, bytes(15))


def test_other_version_does_not_open(monkeypatch):
    """An envelope that was sealed for another version does not open."""
    monkeypatch.setattr(envelope, "_LABEL", b"blindrelay/envelope/2\0")
    other = seal(SAMPLE, BOB, ID, PAIR.public)
    monkeypatch.undo()
    with pytest.raises(EnvelopeRejected):
        unseal(other, BOB, ID, (PAIR,))


def test_previous_keys_open():
    """An envelope opens with any of the keys that the device still has."""
    newer = SealingKeyPair.generate()
    assert unseal(SEALED, BOB, ID, (newer, PAIR)) == SAMPLE
    with pytest.raises(EnvelopeRejected):
        unseal(SEALED, BOB, ID, (newer,))
    with pytest.raises(EnvelopeRejected):
        unseal(SEALED, BOB, ID, ())


@pytest.mark.parametrize(("tail", "check"), [(b"\x01", "padding"), (b"\0\0\x01\0", "padding"), (b"\0", None)])
def test_padding_is_zeros(tail, check):
    """Padding is zeros alone: anything else is rejected."""
    inside = envelope._encode(SAMPLE) + tail
    if check is None:
        assert envelope._decode(inside) == SAMPLE
        return
    with pytest.raises(EnvelopeRejected) as caught:
        envelope._decode(inside)
    assert caught.value.check == check


def test_sizes_say_as_little_as_possible():
    """An empty text and one of 600 bytes have the same size outside."""
    lengths = {len(seal(Frame(ALICE, OlmMessage(NORMAL, bytes(n))), BOB, ID, PAIR.public)) for n in range(0, 800, 100)}
    assert lengths == {2_048}


def test_largest_frame_fits_and_one_byte_more_does_not():
    """The largest frame makes the largest envelope; one byte more is refused before it is sealed."""
    room = MAX_ENVELOPE - OVERHEAD - len(envelope._encode(Frame(ALICE, OlmMessage(NORMAL, b""))))
    assert len(seal(Frame(ALICE, OlmMessage(NORMAL, bytes(room))), BOB, ID, PAIR.public)) == MAX_ENVELOPE
    with pytest.raises(ContentTooLarge):
        seal(Frame(ALICE, OlmMessage(NORMAL, bytes(room + 1))), BOB, ID, PAIR.public)


@pytest.mark.parametrize("tail", [bytes(32), (1).to_bytes(32, "little"), (2**255 - 19).to_bytes(32, "little"), b""])
def test_unusable_sealing_keys_are_refused(tail):
    """A sealing key whose X25519 half is of small order, or missing, is refused."""
    with pytest.raises(ValueError):  # noqa: PT011
        check_sealing_key(PAIR.public[:1_184] + tail)


def test_seeds_are_the_key_and_never_shown():
    """A pair comes back from its seeds, and its repr holds nothing."""
    again = SealingKeyPair.from_seeds(PAIR.seeds)
    assert unseal(SEALED, BOB, ID, (again,)) == SAMPLE
    assert repr(PAIR) == "SealingKeyPair()"
