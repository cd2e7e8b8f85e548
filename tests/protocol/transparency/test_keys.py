"""Keys of logs and witnesses, held to the forms of golang.org/x/mod/sumdb/note, and to points that bind their owner."""

import traceback
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey, VerifierKey

# The examples of golang.org/x/mod/sumdb/note (package documentation and note_test.go).
PETER: Final = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE: Final = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
WRONG_LENGTH: Final = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="
UNKNOWN_ALGORITHM: Final = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

P: Final = 2**255 - 19


def test_the_published_keys_belong_together() -> None:
    """Name, key id and public half of the private key are those of the published verifier key."""
    key = SigningKey.parse(PETER_PRIVATE)
    assert str(key.verifier) == PETER
    assert key.verifier == VerifierKey.parse(PETER)
    assert key.verifier.key_id.hex() == "c74f20a3"
    assert key.encode() == PETER_PRIVATE


def manglings(text: str) -> list[str]:
    """Every part of a text, and the text with each byte one higher: what note_test.go tries."""
    parts = [text[i:j] for i in range(len(text) + 1) for j in range(i + 1, len(text) + 1)]
    parts.remove(text)
    return parts + [text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :] for i in range(len(text))]


def test_no_mangled_verifier_key_is_accepted() -> None:
    """The key id covers name, algorithm and key: a slip of the pen is no other key."""
    for text in [*manglings(PETER), WRONG_LENGTH, UNKNOWN_ALGORITHM]:
        with pytest.raises(Malformed):
            VerifierKey.parse(text)


def test_no_mangled_private_key_is_accepted() -> None:
    """The same for private keys, whose id is the public key's."""
    for text in manglings(PETER_PRIVATE):
        with pytest.raises(Malformed):
            SigningKey.parse(text)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_survives_its_file(algorithm: Algorithm) -> None:
    """Written and read, a key is the same and signs for the same verifier."""
    key = SigningKey.generate("example.com/witness", algorithm)
    again = SigningKey.parse(key.encode() + "\n")
    assert again.verifier == key.verifier == VerifierKey.parse(f"{key.verifier}\n")
    assert key.verifier.verifies(again.sign(b"text"), b"text")


def test_a_signature_is_over_one_text_by_one_key() -> None:
    """Another text, another key or another signature does not verify; nor does one of another length."""
    key, other = (SigningKey.generate("example.com/log") for _ in range(2))
    signature = key.sign(b"text")
    assert not key.verifier.verifies(signature, b"texT")
    assert not other.verifier.verifies(signature, b"text")
    assert not key.verifier.verifies(bytes(64), b"text")
    assert not key.verifier.verifies(signature + b"\0", b"text")
    assert not key.verifier.verifies(b"", b"text")


def test_a_private_key_does_not_show_itself() -> None:
    """Neither `repr`, `str` nor the error for a key that is nearly right has the secret in it."""
    key = SigningKey.parse(PETER_PRIVATE)
    secret = PETER_PRIVATE.rsplit("+", 1)[1][:20]
    shown = [repr(key), str(key), f"{key}"]
    for reader in (SigningKey.parse, VerifierKey.parse):
        with pytest.raises(Malformed) as caught:
            reader(PETER_PRIVATE.replace("c74f20a3", "c74f20a4"))
        shown.append("".join(traceback.format_exception(caught.value)))
    assert not [text for text in shown if secret in text]


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\n", "a\0", "a\ud800", "a" * 256])
def test_names_without_spaces_and_plus_signs(name: str) -> None:
    """A name parts the fields of a key and of a signature: what parts fields is in none (signed-note, "Format")."""
    with pytest.raises(Malformed):
        SigningKey.generate(name)


def square_root(square: int) -> int:
    """Of a quadratic residue modulo P (RFC 8032, 5.1.1)."""
    root = pow(square, (P + 3) // 8, P)
    return root if (root * root - square) % P == 0 else root * pow(2, (P - 1) // 4, P) % P


def small_order_encodings() -> dict[str, bytes]:
    """Every encoding of every point whose order divides 8, from the equation of the curve: -x² + y² = 1 + dx²y².

    Orders 1 and 2 have x = 0 and y = ±1, order 4 has y = 0, and order 8 is doubled into y = 0, so that x² = -y² and
    dy⁴ + 2y² - 1 = 0. A y below 19 has a second encoding, y + P; and the bit of the sign may be set or not.
    """
    d = -121665 * pow(121666, -1, P) % P
    inverse = pow(d, -1, P)
    squares = [(sign * square_root(1 + d) - 1) * inverse % P for sign in (1, -1)]
    residues = [square for square in squares if pow(square, (P - 1) // 2, P) == 1]
    eighth = {root for square in residues for root in (square_root(square), P - square_root(square))}
    values = {0, 1, P - 1, P, P + 1, *eighth}
    return {f"{y:#x}, sign {sign}": (y | sign << 255).to_bytes(32, "little") for y in values for sign in (0, 1)}


SMALL_ORDER: Final = small_order_encodings()


def test_the_list_of_small_points_is_complete() -> None:
    """Five values of y have eight points between them; with the second form of two of them, and both signs, 14 encodings."""
    assert len(SMALL_ORDER) == 14


@pytest.mark.parametrize("public", SMALL_ORDER.values(), ids=SMALL_ORDER)
def test_a_key_of_small_order_is_refused(public: bytes) -> None:
    """Such a key's owner could show one signature for any text, and so cosign what they have never seen."""
    with pytest.raises(Malformed, match="small order"):
        VerifierKey("example.com/log", Algorithm.ED25519, public)


def test_why_small_order_matters() -> None:
    """OpenSSL verifies a signature of zeros under the neutral point: over whatever text."""
    neutral = (1).to_bytes(32, "little")
    key = VerifierKey.parse(PETER)
    object.__setattr__(key, "public", neutral)
    assert key.verifies(neutral + bytes(32), b"anything")


@given(st.integers(P, 2**255 - 1), st.booleans())
def test_a_key_is_written_in_one_way(y: int, sign: bool) -> None:
    """A coordinate that is not reduced would give one key two ids."""
    with pytest.raises(Malformed):
        VerifierKey("example.com/log", Algorithm.ED25519, (y | sign << 255).to_bytes(32, "little"))


@given(st.text(max_size=120) | st.text("PRIVATEKEY+0123abcdef/=", max_size=120))
def test_whatever_is_no_key_is_malformed(text: str) -> None:
    """The parsers raise nothing else."""
    for parse in (VerifierKey.parse, SigningKey.parse):
        with pytest.raises(Malformed):
            parse(text)
