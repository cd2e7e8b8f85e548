"""The ratchet: what arrives late, twice, never, at once from both sides, and with keys that are no good."""

import importlib.metadata
from itertools import permutations

import pytest

from blindrelay.clients.errors import IdentityRejected, RatchetRejected, StoreDamaged
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.clients.ratchet import MAX_SESSIONS, NORMAL, PREKEY, OlmMessage, Ratchet
from blindrelay.protocol.address import DeviceAddress

ALICE = DeviceAddress.parse("acme.example/alice/laptop")
BOB = DeviceAddress.parse("globex.example/bob/phone")

# The points of small order on Curve25519 with canonical encodings (RFC 7748 section 6.1 on the all-zero check): zero, one,
# two of order eight, and p-1, p, p+1.
SMALL_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]


class Side:
    """One end: a ratchet, its store, and how to speak to the other end."""

    def __init__(self, name, peer):
        self.name, self.peer = name, peer
        self.store = KeyStore.in_memory()
        self.ratchet = Ratchet(self.store)
        self.other = None

    def start(self, prekey):
        """Start a session with the other end."""
        self.ratchet.start_session(self.peer, self.other.ratchet.identity_key, prekey)

    def say(self, text):
        """Encrypt."""
        return self.ratchet.encrypt(self.peer, self.other.ratchet.identity_key, text)

    def hear(self, message):
        """Decrypt."""
        return self.ratchet.decrypt(self.peer, self.other.ratchet.identity_key, message)

    def sessions(self):
        """How many sessions there are."""
        return len(self.ratchet._sessions(self.peer, self.other.ratchet.identity_key))

    def restart(self):
        """Forget what is in memory and read it back."""
        self.ratchet = Ratchet(self.store)


@pytest.fixture
def ends():
    """Alice and bob, who have never spoken."""
    alice, bob = Side(ALICE, BOB), Side(BOB, ALICE)
    alice.other, bob.other = bob, alice
    yield alice, bob
    alice.store.close()
    bob.store.close()


@pytest.fixture
def talking(ends):
    """Alice and bob, who have both spoken."""
    alice, bob = ends
    alice.start(*bob.ratchet.one_time_prekeys(1))
    assert bob.hear(alice.say(b"hello")) == b"hello"
    assert alice.hear(bob.say(b"hi")) == b"hi"
    return alice, bob


def test_vodozemac_is_new_enough():
    """The installed vodozemac refuses keys that do not contribute (0.10 and later)."""
    version = tuple(int(part) for part in importlib.metadata.version("vodozemac").split(".")[:2])
    assert version >= (0, 10)


@pytest.mark.parametrize("key", SMALL_ORDER)
def test_small_order_keys_are_refused(ends, key):
    """A session is started neither with an identity key nor with a prekey of small order."""
    alice, bob = ends
    (good,) = bob.ratchet.one_time_prekeys(1)
    for identity, prekey in ((key, good), (bob.ratchet.identity_key, key)):
        with pytest.raises(IdentityRejected) as caught:
            alice.ratchet.start_session(BOB, identity, prekey)
        assert caught.value.check == "prekey"
    assert alice.sessions() == 0


def test_replay_is_refused_and_changes_nothing(talking):
    """A message that was received is refused the second time, and the conversation goes on."""
    alice, bob = talking
    message = alice.say(b"once")
    assert bob.hear(message) == b"once"
    with pytest.raises(RatchetRejected):
        bob.hear(message)
    assert bob.hear(alice.say(b"on")) == b"on"


def test_first_message_replay_is_refused(ends):
    """A first message that comes again finds its one-time key used up."""
    alice, bob = ends
    alice.start(*bob.ratchet.one_time_prekeys(1))
    message = alice.say(b"first")
    assert bob.hear(message) == b"first"
    with pytest.raises(RatchetRejected):
        bob.hear(message)
    bob.ratchet.forget(ALICE)
    with pytest.raises(RatchetRejected):
        bob.hear(message)
    bob.restart()
    with pytest.raises(RatchetRejected):
        bob.hear(message)


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_any_order_decrypts(talking, order):
    """Messages decrypt in whatever order they arrive."""
    alice, bob = talking
    messages = [alice.say(bytes([number])) for number in range(4)]
    assert [bob.hear(messages[number]) for number in order] == [bytes([number]) for number in order]


def test_first_messages_in_any_order(ends):
    """The second message may arrive before the first: each of them can start the session."""
    alice, bob = ends
    alice.start(*bob.ratchet.one_time_prekeys(1))
    first, second = alice.say(b"1"), alice.say(b"2")
    assert (first.type, second.type) == (PREKEY, PREKEY)
    assert bob.hear(second) == b"2"
    assert bob.hear(first) == b"1"
    assert bob.sessions() == 1


def test_lost_messages_do_not_end_a_conversation(talking):
    """Messages that never arrive do not keep later ones from decrypting."""
    alice, bob = talking
    for _ in range(30):
        alice.say(b"lost")
    assert bob.hear(alice.say(b"found")) == b"found"


def test_both_start_at_once(ends):
    """When both start at the same time, everything decrypts, and both go on with sessions that the other has."""
    alice, bob = ends
    alice.start(*bob.ratchet.one_time_prekeys(1))
    bob.start(*alice.ratchet.one_time_prekeys(1))
    from_alice, from_bob = alice.say(b"a"), bob.say(b"b")
    assert bob.hear(from_alice) == b"a"
    assert alice.hear(from_bob) == b"b"
    for number in range(6):
        speaker, listener = (alice, bob) if number % 3 else (bob, alice)
        assert listener.hear(speaker.say(bytes([number]))) == bytes([number])
    assert alice.say(b"").type == bob.say(b"").type == NORMAL


def test_sessions_are_bounded(ends):
    """Whoever starts session after session does not fill the store."""
    alice, bob = ends
    for prekey in bob.ratchet.one_time_prekeys(MAX_SESSIONS + 3):
        alice.start(prekey)
        assert bob.hear(alice.say(b"x")) == b"x"
    assert alice.sessions() == bob.sessions() == MAX_SESSIONS


def test_goes_on_after_a_restart(talking):
    """Sessions and account go on from the store in the middle of a conversation."""
    alice, bob = talking
    waiting = [alice.say(b"1"), alice.say(b"2")]
    alice.restart()
    bob.restart()
    assert bob.hear(waiting[1]) == b"2"
    bob.restart()
    assert bob.hear(waiting[0]) == b"1"
    assert alice.hear(bob.say(b"3")) == b"3"


def test_rollback_gives_the_one_time_key_back(ends):
    """When the transaction of a first message is rolled back, its one-time key is there again."""
    alice, bob = ends
    alice.start(*bob.ratchet.one_time_prekeys(1))
    message = alice.say(b"first")
    with pytest.raises(ZeroDivisionError), bob.store.transaction():  # noqa: PT012
        bob.hear(message)
        raise ZeroDivisionError
    assert bob.hear(message) == b"first"


def test_fallback_key_works_more_than_once(ends):
    """The fallback key starts sessions again and again, also after the next one was made; then no more."""
    alice, bob = ends
    fallback = bob.ratchet.fallback_prekey()
    for text in (b"1", b"2"):
        alice.start(fallback)
        assert bob.hear(alice.say(text)) == text
    bob.ratchet.fallback_prekey()
    alice.start(fallback)
    assert bob.hear(alice.say(b"3")) == b"3"
    bob.ratchet.fallback_prekey()
    alice.start(fallback)
    with pytest.raises(RatchetRejected):
        bob.hear(alice.say(b"4"))


def test_other_identity_key_voids_sessions(talking, ends):
    """A device that comes back with another identity key is not written to with the old session."""
    alice, _ = talking
    assert not alice.ratchet.has_session(BOB, bytes(32))
    with pytest.raises(RatchetRejected, match="claim one of its prekeys"):
        alice.ratchet.encrypt(BOB, bytes(32), b"x")


@pytest.mark.parametrize("body", [b"", b"\x03", b"garbage" * 10, bytes(300)])
@pytest.mark.parametrize("kind", [PREKEY, NORMAL, 2, -1, 2**70])
def test_garbage_is_refused(talking, kind, body):
    """Bytes that are no Olm message raise a typed error and leave the conversation as it was."""
    alice, bob = talking
    with pytest.raises(RatchetRejected):
        bob.hear(OlmMessage(kind, body))
    assert bob.hear(alice.say(b"on")) == b"on"


def test_keys_of_the_account_are_stable(ends):
    """Identity and signing key are 32 bytes and the same after a restart."""
    alice, _ = ends
    before = alice.ratchet.identity_key, alice.ratchet.signing_key
    alice.restart()
    assert (alice.ratchet.identity_key, alice.ratchet.signing_key) == before
    assert [len(key) for key in before] == [32, 32]


def test_damaged_pickles_are_typed_errors(talking):
    """A pickle that cannot be read raises StoreDamaged."""
    alice, bob = talking
    alice.ratchet._keep(BOB, bob.ratchet.identity_key, [b"nonsense"])
    with pytest.raises(StoreDamaged):
        alice.say(b"x")
    alice.store.put(Space.ACCOUNT, "account", b"nonsense")
    with pytest.raises(StoreDamaged):
        alice.restart()


def test_message_body_is_not_in_repr():
    """A ratchet message shows its type alone."""
    assert repr(OlmMessage(1, b"body")) == "OlmMessage(type=1)"
