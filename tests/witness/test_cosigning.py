"""The decision: what is cosigned, what is refused, and that nobody gets two histories."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosigned_at
from blindrelay.protocol.transparency.keys import SigningKey, VerifierKey
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT
from blindrelay.protocol.transparency.note import Note, Signature
from blindrelay.protocol.transparency.submission import Submission
from blindrelay.witness.cosigning import Cosigner
from blindrelay.witness.errors import Conflict, NotProved, NotSigned, Refused, SplitView, UnknownLog, Unreadable
from blindrelay.witness.folder import MAX_SPLIT_VIEWS, Folder, KnownLog
from support.party import HandClock
from support.witnessed import HONEST, ORIGIN, Operator, Released, cosigner_in, forked

# What litewitness is tested with (FiloSottile/torchwood, internal/witness/witness_test.go): a log of Sigsum's, signed by a key
# that is not ours.
SIGSUM: Final = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
SIGSUM_KEY: Final = bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f")
ONE: Final = f"""\
old 0

{SIGSUM}
1
KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

— {SIGSUM} UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=
"""
THREE: Final = f"""\
old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{SIGSUM}
3
RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=

— {SIGSUM} UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=
"""
FIVE: Final = f"""\
old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=
KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{SIGSUM}
5
QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=

— {SIGSUM} UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=
"""


@pytest.fixture
def cosigner(tmp_path: Path, clock: HandClock, operator: Operator) -> Iterator[Cosigner]:
    """A witness that knows the operator's log, and has seen nothing of it."""
    with cosigner_in(tmp_path, clock, operator.key.verifier) as cosigner:
        yield cosigner


@pytest.fixture
def key(cosigner: Cosigner, tmp_path: Path) -> VerifierKey:
    return Folder.read(tmp_path).keys[-1].verifier


def test_a_log_that_goes_on_is_cosigned(
    cosigner: Cosigner, operator: Operator, clock: HandClock, key: VerifierKey
) -> None:
    """From nothing, step by step, each time with the time of that moment."""
    for old, new in ((0, 1), (1, 3), (3, 3), (3, 8), (8, 60)):
        clock.at += 10
        head, signatures = cosigner.submit(operator.submission(old, new))
        assert head == Checkpoint(ORIGIN, new, HONEST.root(new))
        assert [(found.name, found.key_id) for found in signatures] == [(key.name, key.key_id)]
        assert cosigned_at(operator.note(new).with_signature(*signatures), key) == clock.at


def test_an_empty_log_is_cosigned(cosigner: Cosigner, operator: Operator) -> None:
    """And may then begin, as if it had not been."""
    assert cosigner.submit(operator.submission(0, 0))[0] == Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert cosigner.submit(operator.submission(0, 5))[0].size == 5


def test_the_published_submissions_of_another_implementation(tmp_path: Path, clock: HandClock) -> None:
    """The first and the second are cosigned. The third continues the first, too, and comes too late."""
    with cosigner_in(tmp_path, clock, VerifierKey(SIGSUM, Operator().key.algorithm, SIGSUM_KEY)) as cosigner:
        assert cosigner.submit(ONE.encode())[0].size == 1
        assert cosigner.submit(THREE.encode())[0].size == 3
        with pytest.raises(Conflict) as caught:
            cosigner.submit(FIVE.encode())
        assert caught.value.known == 3


def test_a_log_does_not_go_back(cosigner: Cosigner, operator: Operator) -> None:
    """A checkpoint that was cosigned an hour ago is not cosigned again, whatever size the log says that it thinks of."""
    for old, new in ((0, 3), (3, 8)):
        cosigner.submit(operator.submission(old, new))
    for old, new in ((0, 3), (3, 3), (3, 5), (0, 8), (3, 8), (0, 0)):
        with pytest.raises(Conflict) as caught:
            cosigner.submit(operator.submission(old, new))
        assert caught.value.known == 8
        assert not isinstance(caught.value, SplitView)
    with pytest.raises(Malformed, match="does not continue"):
        cosigner.submit(operator.submission(8, 3))
    assert cosigner.submit(operator.submission(8, 9))[0].size == 9


@pytest.mark.parametrize("old", [0, 5, 8])
def test_a_second_tree_of_the_same_size_is_a_split_view(
    cosigner: Cosigner, operator: Operator, tmp_path: Path, old: int
) -> None:
    """It is refused, and both checkpoints are kept: with the log's two signatures anybody can be shown what it has done."""
    cosigner.submit(operator.submission(0, 8))
    with pytest.raises(SplitView) as caught:
        cosigner.submit(operator.submission(old, 8, forked(5)))
    assert caught.value.known == 8
    folder = Folder.read(tmp_path)
    notes = [Note.parse(file.read_bytes()) for file in folder.log(ORIGIN).split_views]
    assert {Checkpoint.parse(note.text).root for note in notes} == {HONEST.root(8), forked(5).root(8)}
    assert all(note.is_signed_by(operator.key.verifier) for note in notes)
    assert folder.last(folder.log(ORIGIN)).head.root == HONEST.root(8)


def test_a_split_view_is_kept_once(cosigner: Cosigner, operator: Operator, tmp_path: Path) -> None:
    """Somebody who repeats it a thousand times, or finds a thousand forms of it, does not fill the disk."""
    cosigner.submit(operator.submission(0, 30))
    log = Folder.read(tmp_path).log(ORIGIN)
    for at in (5, 5, 6, 5):
        with pytest.raises(SplitView):
            cosigner.submit(operator.submission(30, 30, forked(at)))
    assert len(log.split_views) == 3
    for at in range(30):
        with pytest.raises(SplitView):
            cosigner.submit(operator.submission(30, 30, forked(at)))
    assert len(log.split_views) == MAX_SPLIT_VIEWS


def test_a_history_that_forks_is_not_proved(cosigner: Cosigner, operator: Operator) -> None:
    """Neither with the fork's own proof, nor with the honest one, nor without."""
    cosigner.submit(operator.submission(0, 8))
    fork = forked(5)
    for proof in (fork.proof(8, 12), HONEST.proof(8, 12), [], [b"\0" * 32] * 63):
        with pytest.raises(NotProved):
            cosigner.submit(Submission(8, tuple(proof), operator.note(12, fork)).encode())
    assert cosigner.submit(operator.submission(8, 12))[0].size == 12


def test_a_proof_where_there_is_nothing_to_prove_is_refused(cosigner: Cosigner, operator: Operator) -> None:
    """Of the first checkpoint, and of the same one again."""
    proof = (b"\0" * 32,)
    with pytest.raises(NotProved):
        cosigner.submit(Submission(0, proof, operator.note(3)).encode())
    cosigner.submit(operator.submission(0, 3))
    with pytest.raises(NotProved):
        cosigner.submit(Submission(3, proof, operator.note(3)).encode())


def test_an_unknown_log_is_not_cosigned(cosigner: Cosigner) -> None:
    """Before its signature is looked at: there is no key to look with."""
    key = SigningKey.generate("elsewhere.example/log")
    note = Checkpoint(key.name, 3, HONEST.root(3)).sign(key)
    with pytest.raises(UnknownLog):
        cosigner.submit(Submission(0, (), note).encode())


def test_a_checkpoint_that_the_log_has_not_signed_is_not_cosigned(cosigner: Cosigner, operator: Operator) -> None:
    """Another key under its name, its key over another text, a signature under another name."""
    note, other = operator.note(3), SigningKey.generate(ORIGIN)
    stolen = note.signatures[0]
    for forged in (
        operator.note(3, HONEST, other),
        Note(operator.note(4).text, note.signatures),
        Note(note.text, (Signature("elsewhere", stolen.key_id, stolen.data),)),
        Note(note.text, (Signature(ORIGIN, other.verifier.key_id, stolen.data),)),
    ):
        with pytest.raises(NotSigned):
            cosigner.submit(Submission(0, (), forged).encode())


def test_a_log_may_change_its_key(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """While it signs with both keys a witness that knows either cosigns; what is kept has the signatures that it knows."""
    new = SigningKey.generate(ORIGIN)
    for number, known in enumerate([(operator.key,), (new,), (operator.key, new)]):
        place = cosigner_in(tmp_path / str(number), clock, *(key.verifier for key in known))
        with place as cosigner:
            cosigner.submit(operator.submission(0, 3, HONEST, operator.key, new))
            last = place.folder.last(place.folder.log(ORIGIN))
            assert [last.note.is_signed_by(key.verifier) for key in known] == [True] * len(known)
            assert len(last.note.signatures) == len(known) + 1
    with place as cosigner:
        cosigner.submit(operator.submission(3, 5, HONEST, new))  # and one day with the new one alone


def test_a_false_signature_of_either_key_is_refused(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """A signature that is said to be of a known key, and is not, spoils the checkpoint: somebody has tampered with it."""
    new = SigningKey.generate(ORIGIN)
    with cosigner_in(tmp_path, clock, operator.key.verifier, new.verifier) as cosigner:
        false = Signature(ORIGIN, new.verifier.key_id, bytes(64))
        with pytest.raises(NotSigned):
            cosigner.submit(Submission(0, (), operator.note(3).with_signature(false)).encode())


def test_strangers_signatures_are_not_kept(cosigner: Cosigner, operator: Operator, tmp_path: Path) -> None:
    """They are ignored, as they must be, and nobody is told of them."""
    stranger = SigningKey.generate("stranger.example")
    cosigner.submit(operator.submission(0, 3, HONEST, operator.key, stranger))
    folder = Folder.read(tmp_path)
    names = [found.name for found in folder.last(folder.log(ORIGIN)).note.signatures]
    assert names == [ORIGIN, folder.name]


def test_a_clock_that_is_set_back_does_not_make_a_liar_of_the_witness(
    cosigner: Cosigner, operator: Operator, clock: HandClock, key: VerifierKey
) -> None:
    """It has said that at noon the log had 3 entries: it does not say that it had 8 an hour before."""
    noon = clock.at
    cosigner.submit(operator.submission(0, 3))
    clock.at = noon - 3_600
    _, signatures = cosigner.submit(operator.submission(3, 8))
    assert cosigned_at(operator.note(8).with_signature(*signatures), key) == noon


def test_repeating_a_question_does_not_keep_the_disk_busy(
    cosigner: Cosigner, operator: Operator, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can send a published checkpoint again, with its signature ten times over: one write a second is what it costs."""
    kept: list[int] = []
    keep = Folder.keep

    def counted(folder: Folder, log: KnownLog, note: Note) -> None:
        kept.append(int(clock.at))
        keep(folder, log, note)

    monkeypatch.setattr(Folder, "keep", counted)
    _, first = cosigner.submit(operator.submission(0, 3))
    note = operator.note(3)
    again = Submission(3, (), note.with_signature(*note.signatures * 9)).encode()
    assert [cosigner.submit(data)[1] for data in (again, operator.submission(3, 3), again)] == [first] * 3
    assert len(kept) == 1
    clock.at += 1
    assert cosigner.submit(again)[1] != first
    assert len(kept) == 2


class WatchedLock:
    """A lock that says when somebody waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.contended = threading.Event()

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.contended.set()
            self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


def test_of_two_histories_at_once_one_is_cosigned(
    cosigner: Cosigner, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second arrives between the first one's check and its being kept (tlog-witness, the race at the end): it waits."""
    cosigner.submit(operator.submission(0, 3))
    lock, outcomes, threads = WatchedLock(), [], []
    keep = Folder.keep

    def submit_another() -> None:
        try:
            outcomes.append(cosigner.submit(operator.submission(3, 5, forked(4)))[0].size)
        except Refused as error:
            outcomes.append(error)
        lock.contended.set()

    def keep_slowly(*given: object) -> None:
        if not threads:
            threads.append(threading.Thread(target=submit_another))
            threads[0].start()
            assert lock.contended.wait(30)
        keep(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(cosigner, "_one_at_a_time", lock)
    monkeypatch.setattr(Folder, "keep", keep_slowly)
    cosigner.submit(operator.submission(3, 8))
    threads[0].join(30)

    (refused,) = outcomes
    assert isinstance(refused, Conflict)
    assert refused.known == 8


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.unlink(), id="missing"),
        pytest.param(lambda file: file.write_bytes(b""), id="empty"),
        pytest.param(lambda file: file.write_bytes(file.read_bytes()[:-5]), id="cut off"),
        pytest.param(lambda file: file.write_bytes(b"\xff" * 200), id="noise"),
        pytest.param(lambda file: file.write_text(file.read_text().replace("\n8\n", "\n3\n")), id="another size"),
        pytest.param(lambda file: file.write_text(file.read_text().replace(ORIGIN, "elsewhere", 1)), id="another log"),
        pytest.param(lambda file: file.write_bytes(Operator().note(3).encode()), id="not cosigned"),
    ],
)
def test_a_witness_whose_memory_is_damaged_signs_nothing(
    cosigner: Cosigner, operator: Operator, clock: HandClock, tmp_path: Path, damage: object
) -> None:
    """Neither while it runs nor after a restart: what it does not know, it does not take for a beginning."""
    cosigner.submit(operator.submission(0, 8))
    damage(Folder.read(tmp_path).log(ORIGIN).path / "checkpoint")  # type: ignore[operator]
    for old, new, log in ((8, 9, HONEST), (0, 9, HONEST), (0, 9, forked(0)), (3, 9, forked(3))):
        with pytest.raises(Unreadable, match="checkpoint"):
            cosigner.submit(operator.submission(old, new, log))


def test_a_checkpoint_that_cannot_be_kept_is_not_cosigned(
    cosigner: Cosigner, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs a cosignature, and no more: what was known is known, and the next attempt is taken."""
    cosigner.submit(operator.submission(0, 3))

    def full(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("blindrelay.witness.files.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            cosigner.submit(operator.submission(3, 8))
    with pytest.raises(Conflict) as caught:
        cosigner.submit(operator.submission(8, 9))
    assert caught.value.known == 3
    assert cosigner.submit(operator.submission(3, 8))[0].size == 8


def test_what_may_not_be_durable_is_written_again(
    cosigner: Cosigner, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name could not be synced, and the file is there to be read: the next answer waits for the disk all the same."""
    fsync, synced = os.fsync, []

    def broken(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(5, "Input/output error")
        fsync(descriptor)

    def watched(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        cosigner.submit(operator.submission(0, 3))
    monkeypatch.setattr(os, "fsync", watched)
    assert cosigner.submit(operator.submission(3, 3))[0].size == 3
    assert synced == [False, True]
    cosigner.submit(operator.submission(3, 3))
    assert synced == [False, True]


SIZES: Final = st.integers(0, 20)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(SIZES, SIZES, st.sampled_from([None, 0, 1, 2, 3, 5, 8]), st.booleans()), max_size=12))
def test_whatever_a_log_tries_it_gets_one_history(
    tmp_path_factory: pytest.TempPathFactory, attempts: list[tuple[int, int, int | None, bool]]
) -> None:
    """Sizes, forks and restarts in any order: what was ever cosigned is one history."""
    operator, clock = Operator(), HandClock()
    place = cosigner_in(tmp_path_factory.mktemp("witness"), clock, operator.key.verifier)
    with place as cosigner:
        released = Released(place.folder.keys[-1].verifier)
    logs = {None: HONEST} | {at: forked(at) for at in (0, 1, 2, 3, 5, 8)}
    known = 0
    for old, new, fork, restart in attempts:
        with place as cosigner:
            for size in (old, known) if restart else (known,):
                data = operator.submission(size, max(new, size), logs[fork])
                try:
                    head, signatures = cosigner.submit(data)
                except (Refused, Malformed):
                    continue
                known = head.size
                released.add(Submission.parse(data).note, signatures)
    released.check(*logs.values())
