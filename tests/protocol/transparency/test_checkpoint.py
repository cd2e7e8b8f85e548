"""Checkpoints and cosignatures, held to what public logs and witnesses have signed."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosign, cosigned_at
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey, VerifierKey
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT
from blindrelay.protocol.transparency.note import Note, Signature
from support.merkle import mutated

# Two staging logs of Certificate Transparency in 2026, with what witnesses of the public witness network have cosigned.
ARCHE: Final = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2\
BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7R\
y1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkR\
AErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0Xw\
zdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
"""
ARCHE_KEY: Final = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
WITNESSES: Final = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
]
NAVIGLI: Final = """\
coachandhorses2026h1.staging.certificate.transparency.goog
185550722
YXAM0VmnrfvLaBCOOYSJhCaE5F10oGBOo+hkbDa1kng=

— witness.navigli.sunlight.geomys.org o+AP4gAAAABqb7DzNrGFRJnQ9vrJ8xpnwZytnr/ZYczDIsvwvouiSjwOjn7\
a72ccxBk+lKnZ7dKqkYKER1s/KxLTaVwQD7lJZTC/CQ==
"""
NAVIGLI_KEY: Final = "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G"

LOG: Final = SigningKey.generate("example.com/log")
WITNESS: Final = SigningKey.generate("example.com/witness", Algorithm.COSIGNATURE)
ROOT: Final = b"\7" * 32
NOTE: Final = Checkpoint("example.com/log", 42, ROOT).sign(LOG)


@pytest.mark.parametrize("key", WITNESSES)
def test_the_cosignatures_of_public_witnesses_verify(key: str) -> None:
    """On a real checkpoint of a public log, at the time that they gave: 23 May 2026, 21:50:24 UTC."""
    assert cosigned_at(Note.parse(ARCHE.encode()), VerifierKey.parse(key)) == 1_779_573_024


def test_another_witness_at_another_time() -> None:
    """Of another operator's software, too."""
    assert cosigned_at(Note.parse(NAVIGLI.encode()), VerifierKey.parse(NAVIGLI_KEY)) == 1_785_704_691


def test_the_signature_of_a_public_log_verifies() -> None:
    """Its note has another of an algorithm that we do not know, which is ignored."""
    note = Note.parse(ARCHE.encode())
    assert note.is_signed_by(VerifierKey.parse(ARCHE_KEY))
    assert Checkpoint.parse(note.text).size == 1_432_088_532
    assert Checkpoint.parse(note.text).text == note.text


@pytest.mark.parametrize("change", [("1432088532", "1432088533"), ("U7WM", "U7WN"), ("arche2025h1", "arche2025h2")])
def test_nobody_has_signed_another_checkpoint(change: tuple[str, str]) -> None:
    """With another size, root or origin."""
    note = Note.parse(ARCHE.encode())
    changed = Note(note.text.replace(*change), note.signatures)
    assert changed.text != note.text
    assert not changed.is_signed_by(VerifierKey.parse(ARCHE_KEY))
    assert [cosigned_at(changed, VerifierKey.parse(key)) for key in WITNESSES] == [None] * 4


def test_a_checkpoint_is_three_lines() -> None:
    """Origin, size and root, signed by the log under its own name."""
    assert NOTE.text == "example.com/log\n42\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"
    assert Checkpoint.parse(NOTE.text) == Checkpoint("example.com/log", 42, ROOT)
    assert NOTE.is_signed_by(LOG.verifier)


def test_extension_lines_are_ignored_and_signed() -> None:
    """They are somebody else's business; nobody can put them there afterwards."""
    assert Checkpoint.parse(NOTE.text + "extension 1\nextension 2\n") == Checkpoint.parse(NOTE.text)
    signed = NOTE.with_signature(cosign(NOTE, WITNESS, 5))
    extended = Note(NOTE.text + "extension\n", signed.signatures)
    assert not extended.is_signed_by(LOG.verifier)
    assert cosigned_at(extended, WITNESS.verifier) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("example.com/log\n42\n", id="no root"),
        pytest.param("\n42\n{root}\n", id="no origin"),
        pytest.param("example.com/log\n042\n{root}\n", id="a leading zero"),
        pytest.param("example.com/log\n-1\n{root}\n", id="a negative size"),
        pytest.param("example.com/log\n+1\n{root}\n", id="a sign"),
        pytest.param("example.com/log\n4_2\n{root}\n", id="a number as Python has it"),
        pytest.param("example.com/log\n\uff14\uff12\n{root}\n", id="other digits"),
        pytest.param("example.com/log\n9223372036854775808\n{root}\n", id="a size of 2**63"),
        pytest.param("example.com/log\n42\n{root}", id="unfinished"),
        pytest.param("example.com/log\n42\n{root}\n\n", id="an empty extension line"),
        pytest.param("example.com/log\n42\n{root}\n\nextension\n", id="one before another"),
        pytest.param("example.com/log\n42\nBwcHBw==\n", id="a short root"),
        pytest.param("example.com/log\n42\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwd=\n", id="stray bits"),
        pytest.param("example.com/log\n0\n{root}\n", id="an empty log with a root"),
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    """One way to write each: who signs one text signs one tree."""
    with pytest.raises(Malformed):
        Checkpoint.parse(text.format(root="BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="))


def test_an_empty_log_has_a_checkpoint() -> None:
    """With the root of nothing."""
    empty = Checkpoint("example.com/log", 0, EMPTY_ROOT)
    assert Checkpoint.parse(empty.text) == empty


@given(st.integers(0, 2**63 - 1))
def test_a_cosignature_has_its_time(time: int) -> None:
    """And is over it: another time is another signature, which this is not."""
    signature = cosign(NOTE, WITNESS, time)
    assert cosigned_at(NOTE.with_signature(signature), WITNESS.verifier) == time
    other = Signature(signature.name, signature.key_id, (time ^ 1).to_bytes(8, "big") + signature.data[8:])
    assert cosigned_at(NOTE.with_signature(other), WITNESS.verifier) is None


def test_what_is_cosigned_is_written_down() -> None:
    """Two lines and the text (https://c2sp.org/tlog-cosignature, "Ed25519 signed message")."""
    message = b"cosignature/v1\ntime 1679315147\n" + NOTE.text.encode()
    assert WITNESS.verifier.verifies(cosign(NOTE, WITNESS, 1_679_315_147).data[8:], message)


def test_the_newest_of_several_cosignatures_counts() -> None:
    """A witness that is asked again says when it was asked."""
    note = NOTE.with_signature(*(cosign(NOTE, WITNESS, time) for time in (5, 7, 6)))
    assert cosigned_at(note, WITNESS.verifier) == 7


def test_a_false_cosignature_of_a_known_witness_spoils_the_rest() -> None:
    """As with any signature of a known key."""
    good = cosign(NOTE, WITNESS, 5)
    too_late = WITNESS.sign(f"cosignature/v1\ntime {2**63}\n{NOTE.text}".encode())
    for data in (b"", good.data[:-1], good.data + b"\0", bytes(72), (2**63).to_bytes(8, "big") + too_late):
        false = Signature(good.name, good.key_id, data)
        assert cosigned_at(NOTE.with_signature(good, false), WITNESS.verifier) is None


def test_a_log_signature_is_no_cosignature() -> None:
    """Nor the other way round, with one and the same private key."""
    as_log = SigningKey(WITNESS.name, Algorithm.ED25519, WITNESS.private)
    assert as_log.verifier.key_id != WITNESS.verifier.key_id
    note = NOTE.sign(as_log).with_signature(cosign(NOTE, WITNESS, 5))
    log_data, witness_data = note.signatures[1].data, note.signatures[2].data
    swapped = Note(
        NOTE.text,
        (
            Signature(WITNESS.name, WITNESS.verifier.key_id, bytes(8) + log_data),
            Signature(WITNESS.name, as_log.verifier.key_id, witness_data[8:]),
        ),
    )
    assert cosigned_at(note, WITNESS.verifier) == 5
    assert note.is_signed_by(as_log.verifier)
    assert cosigned_at(swapped, WITNESS.verifier) is None
    assert not swapped.is_signed_by(as_log.verifier)


@pytest.mark.parametrize(("key", "time"), [(LOG, 5), (WITNESS, -1), (WITNESS, 2**63)])
def test_what_cannot_be_cosigned_is_not(key: SigningKey, time: int) -> None:
    """With a log's key, before 1970, after the end of time."""
    with pytest.raises(Malformed):
        cosign(NOTE, key, time)


@given(mutated(NOTE.text.encode()).map(lambda data: data.decode("utf-8", "replace")) | st.text(max_size=100))
def test_whatever_is_no_checkpoint_is_malformed(text: str) -> None:
    """The parser raises nothing else, and what it takes begins with what it writes."""
    try:
        checkpoint = Checkpoint.parse(text)
    except Malformed:
        return
    assert text.startswith(checkpoint.text)
