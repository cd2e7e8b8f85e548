"""What a witness keeps: whose it is, that it is whole, and how keys come and go."""

import stat
import traceback
from pathlib import Path

import pytest

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import cosigned_at
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey, VerifierKey
from blindrelay.protocol.transparency.submission import Submission
from blindrelay.witness.cosigning import Cosigner
from blindrelay.witness.errors import FolderInUse, NoWitness, UnknownLog, Unreadable
from blindrelay.witness.folder import DEFAULT_NAME, Folder, origin_hash
from support.party import HandClock
from support.witnessed import ORIGIN, Operator, cosigner_in


def made(path: Path, clock: HandClock, *logs: VerifierKey) -> Folder:
    """A folder with a witness that has stopped."""
    with cosigner_in(path, clock, *logs):
        pass
    return Folder.read(path)


def test_it_is_for_its_owner_alone(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """Folders 0700, files 0600, also those above that had to be made; a key that somebody has opened up is closed again."""
    path = tmp_path / "deep" / "witness"
    made(path, clock, operator.key.verifier)
    (path / "witness.key").chmod(0o644)
    made(path, clock)
    everything = [path.parent, path, *path.rglob("*")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in everything if each.is_dir()} == {0o700}
    assert {stat.S_IMODE(each.stat().st_mode) for each in everything if each.is_file()} == {0o600}


def test_its_key_is_made_once(tmp_path: Path, clock: HandClock) -> None:
    """And cosigns: a key of that kind alone is taken."""
    first, again = made(tmp_path, clock), made(tmp_path, clock)
    assert [key.verifier for key in first.keys] == [key.verifier for key in again.keys]
    assert (first.name, first.keys[0].algorithm) == (DEFAULT_NAME, Algorithm.COSIGNATURE)


def test_where_there_is_no_witness_none_is_made_by_looking(tmp_path: Path) -> None:
    """`status` in the wrong folder says so."""
    with pytest.raises(NoWitness, match="witness run"):
        Folder.read(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param("", id="empty"),
        pytest.param("PRIVATE+KEY+w+00000000+AAAA\n", id="no key"),
        pytest.param(SigningKey.generate("w").encode(), id="a log's key"),
        pytest.param(
            "\n".join(SigningKey.generate(name, Algorithm.COSIGNATURE).encode() for name in "vw"), id="two names"
        ),
        pytest.param("\udcff", id="no text"),
    ],
)
def test_a_key_that_is_damaged_is_not_replaced(tmp_path: Path, clock: HandClock, keys: str) -> None:
    """Nobody would know the new one. No error has the secret in it."""
    made(tmp_path, clock)
    (tmp_path / "witness.key").write_text(keys, errors="surrogateescape")
    with pytest.raises(Unreadable, match=r"witness\.key") as caught, Folder.open(tmp_path, None, clock):
        pass
    shown = "".join(traceback.format_exception(caught.value))
    assert not [line for line in keys.splitlines() if line and line in shown]
    assert (tmp_path / "witness.key").read_text(errors="surrogateescape") == keys


def test_logs_are_remembered_with_all_their_keys(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """In the order in which they came, each once; a log may be added while the witness runs."""
    new = SigningKey.generate(ORIGIN)
    other = SigningKey.generate("a.example/log")
    with Folder.open(tmp_path, None, clock) as running:
        for key in (operator.key, new, operator.key, other):
            Folder.read(tmp_path).add_log(key.verifier, clock)
        assert [(log.origin, log.keys) for log in running.logs()] == [
            ("a.example/log", (other.verifier,)),
            (ORIGIN, (operator.key.verifier, new.verifier)),
        ]
        assert running.log(ORIGIN) == running.log_at(origin_hash(ORIGIN))


def test_a_log_is_found_by_its_hash_alone(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """Which comes out of an address: no other path leads to it, or anywhere else."""
    folder, digest = made(tmp_path, clock, operator.key.verifier), origin_hash(ORIGIN)
    for wrong in (
        "",
        "..",
        ".",
        f"../logs/{digest}",
        f"{digest}/.",
        digest.upper(),
        digest[:-1],
        f"{digest}\n",
        ORIGIN,
    ):
        with pytest.raises(UnknownLog):
            folder.log_at(wrong)
    assert folder.log_at(digest).origin == ORIGIN


def test_adding_a_key_does_not_make_it_forget(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """The log with the new key is the log that has come so far."""
    with cosigner_in(tmp_path, clock, operator.key.verifier) as cosigner:
        cosigner.submit(operator.submission(0, 8))
    folder = made(tmp_path, clock, SigningKey.generate(ORIGIN).verifier)
    assert folder.last(folder.log(ORIGIN)).head.size == 8


def test_a_log_whose_memory_is_gone_is_no_new_log(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """Not by being added again, either."""
    folder = made(tmp_path, clock, operator.key.verifier)
    (folder.log(ORIGIN).path / "checkpoint").unlink()
    folder.add_log(SigningKey.generate(ORIGIN).verifier, clock)
    with pytest.raises(Unreadable, match="checkpoint"):
        folder.last(folder.log(ORIGIN))
    with pytest.raises(Unreadable, match="checkpoint"), Folder.open(tmp_path, None, clock):
        pass


def test_a_log_that_is_known_again_has_come_as_far_as_before(
    tmp_path: Path, clock: HandClock, operator: Operator
) -> None:
    """Its keys may be taken away and given back, and a crash may have come between memory and keys: the memory stays."""
    with cosigner_in(tmp_path, clock, operator.key.verifier) as cosigner:
        cosigner.submit(operator.submission(0, 8))
    folder = Folder.read(tmp_path)
    (folder.log(ORIGIN).path / "keys").unlink()
    with pytest.raises(UnknownLog):
        folder.log(ORIGIN)
    assert folder.last(folder.add_log(operator.key.verifier, clock)).head.size == 8


def test_a_memory_of_another_log_is_none(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """Although the same witness has cosigned it."""
    folder = made(tmp_path, clock, operator.key.verifier, SigningKey.generate("other.example/log").verifier)
    one, other = folder.log(ORIGIN), folder.log("other.example/log")
    (one.path / "checkpoint").write_bytes((other.path / "checkpoint").read_bytes())
    with pytest.raises(Unreadable, match=f"a checkpoint of {ORIGIN}"):
        folder.last(one)


@pytest.mark.parametrize(
    "keys",
    ["", "x\n", pytest.param(f"{SigningKey.generate('elsewhere.example').verifier}\n", id="another log's")],
)
def test_the_keys_of_a_log_are_its_own(tmp_path: Path, clock: HandClock, operator: Operator, keys: str) -> None:
    """A file that has been exchanged for another log's is damage, and no reason to forget the log."""
    folder = made(tmp_path, clock, operator.key.verifier)
    (folder.log(ORIGIN).path / "keys").write_text(keys)
    with pytest.raises(Unreadable, match="keys"):
        folder.log(ORIGIN)


def test_a_witness_is_no_log(tmp_path: Path, clock: HandClock) -> None:
    """Its own key, its own name, and the key of any witness are refused: one key has one purpose."""
    folder = made(tmp_path, clock)
    own = folder.keys[0]
    for key in (
        own.verifier,
        SigningKey(own.name, Algorithm.ED25519, own.private).verifier,
        SigningKey("other", Algorithm.ED25519, own.private).verifier,
        SigningKey.generate(own.name).verifier,
        SigningKey.generate("w", Algorithm.COSIGNATURE).verifier,
    ):
        with pytest.raises(Malformed):
            folder.add_log(key, clock)
    with pytest.raises(UnknownLog):
        folder.log("other")


def test_keys_change_without_a_gap(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """With a second key both cosign, from the next start on, also what was cosigned before; then the first one may go."""
    with cosigner_in(tmp_path, clock, operator.key.verifier) as cosigner:
        cosigner.submit(operator.submission(0, 3))
    with Folder.open(tmp_path, None, clock) as folder:
        folder.new_key()
    place = cosigner_in(tmp_path, clock)
    with place as cosigner:
        old, new = place.folder.keys
        assert old.name == new.name
        last = place.folder.last(place.folder.log(ORIGIN))
        assert None not in [cosigned_at(last.note, key.verifier) for key in (old, new)]
        assert last.note.is_signed_by(operator.key.verifier)
        assert len(last.note.signatures) == 3
        data = operator.submission(3, 8)
        note = Submission.parse(data).note.with_signature(*cosigner.submit(data)[1])
        assert None not in [cosigned_at(note, key.verifier) for key in (old, new)]
        place.folder.retire(old.verifier.key_id.hex())
    assert old.encode() not in (tmp_path / "witness.key").read_text()
    with place as cosigner:
        assert place.folder.keys[0].verifier == new.verifier
        assert cosigner.submit(operator.submission(8, 9))[0].size == 9


def test_a_log_that_never_asked_has_still_not_asked_when_keys_have_changed(
    tmp_path: Path, clock: HandClock, operator: Operator
) -> None:
    """What the witness begins with is no checkpoint of the log's, whoever has signed it."""
    made(tmp_path, clock, operator.key.verifier)
    with Folder.open(tmp_path, None, clock) as folder:
        folder.new_key()
    with Folder.open(tmp_path, None, clock) as folder:
        folder.retire(folder.keys[0].verifier.key_id.hex())
    with Folder.open(tmp_path, None, clock) as folder:
        assert not folder.last(folder.log(ORIGIN)).submitted
        assert Cosigner(folder, clock).submit(operator.submission(0, 3))[0].size == 3
        assert folder.last(folder.log(ORIGIN)).submitted


def test_the_last_key_is_not_retired(tmp_path: Path, clock: HandClock) -> None:
    """Nor one that is not there."""
    with Folder.open(tmp_path, None, clock) as folder:
        for key_id, why in ((folder.keys[0].verifier.key_id.hex(), "only key"), ("00000000", "no key")):
            with pytest.raises(Malformed, match=why):
                folder.retire(key_id)


def test_a_memory_of_another_witness_is_none(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """Checkpoints are no good without the key that has cosigned them: whoever restores the one restores the other."""
    with cosigner_in(tmp_path / "one", clock, operator.key.verifier) as cosigner:
        cosigner.submit(operator.submission(0, 3))
    made(tmp_path / "other", clock)
    (tmp_path / "one" / "logs").rename(tmp_path / "other" / "logs.new")
    (tmp_path / "other" / "logs").rename(tmp_path / "other" / "logs.old")
    (tmp_path / "other" / "logs.new").rename(tmp_path / "other" / "logs")
    with pytest.raises(Unreadable, match="this witness has cosigned"), Folder.open(tmp_path / "other", None, clock):
        pass


def test_only_one_has_it_at_a_time(tmp_path: Path, clock: HandClock) -> None:
    """And after that one the next."""
    with Folder.open(tmp_path, None, clock), pytest.raises(FolderInUse), Folder.open(tmp_path, None, clock):
        pass
    with Folder.open(tmp_path, None, clock):
        pass


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path, clock: HandClock) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").touch()
    with pytest.raises(Unreadable, match="file"), Folder.open(tmp_path / "file", None, clock):
        pass
