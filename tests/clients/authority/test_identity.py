"""An authority's identity on disk (`clients/authority/identity.py`)."""

import json
import stat
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from blindrelay.clients.authority.identity import OFFICER_LIFETIME, AuthorityIdentity
from blindrelay.clients.errors import AuthorityError, AuthorityLocked, IdentityRejected, StoreDamaged
from blindrelay.clients.vault import CHEAP
from blindrelay.policies.exchange import CALL_TYPE, AuthorityCard, RelayIdentity
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.officers import OfficerName, officer_of, verify_officer
from support.authorities import authority
from support.party import HandClock

RELAY = RelayIdentity(id="relay", version="1", certificate="one", jurisdictions=("us",))


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


@pytest.fixture
def court(tmp_path: Path, clock: HandClock) -> AuthorityIdentity:
    """A court."""
    return authority(tmp_path, clock)


def sealed(folder: Path, clock: HandClock, passphrase: str | None) -> AuthorityIdentity:
    return AuthorityIdentity.create(
        folder, OfficerName("uk-police", "DC Smith"), "Police", "uk", AuthorityKind.POLICE, clock, passphrase, CHEAP
    )


def test_it_is_the_same_when_it_is_opened_again(court: AuthorityIdentity, clock: HandClock) -> None:
    """Keys, certificates and names come back."""
    again = AuthorityIdentity.open(court.directory)

    assert (again.card, again.name, again.certificate) == (court.card, court.name, court.certificate)
    assert again.package_key.public == court.card.package_key


def test_files_are_for_the_owner_alone(court: AuthorityIdentity) -> None:
    """Directory 0700, files 0600."""
    assert stat.S_IMODE(court.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in court.directory.iterdir()} == {0o600}


def test_the_card_has_no_secret(court: AuthorityIdentity) -> None:
    """It is parsed by whoever gets it, and holds public keys and names alone."""
    text = (court.directory / "card.json").read_text()

    assert AuthorityCard.model_validate_json(text) == court.card
    secrets = json.loads((court.directory / "secrets.json").read_text())["plain"]
    assert not [value for value in secrets.values() if value in text]


def test_secrets_do_not_show_themselves(court: AuthorityIdentity) -> None:
    """Neither in a traceback nor in a log."""
    assert repr(court) == "AuthorityIdentity(us-court, J. Doe)"


def test_the_root_vouches_for_the_officer(court: AuthorityIdentity, clock: HandClock) -> None:
    """The certificate verifies under the card's root, for as long as it is valid."""
    assert verify_officer(court.certificate, court.root, clock.now()) == OfficerName("us-court", "J. Doe")
    court.check_valid(clock)
    clock.at += OFFICER_LIFETIME.total_seconds() + 1

    with pytest.raises(IdentityRejected, match="authority renew"):
        court.check_valid(clock)


def test_a_renewed_certificate_is_for_the_same_key(court: AuthorityIdentity, clock: HandClock) -> None:
    """The relay's register need not change: root and name are the same; the new one is kept."""
    key = court.certificate.public_key()
    clock.at += timedelta(days=398).total_seconds()
    court.renew(clock)

    court.check_valid(clock)
    assert court.certificate.public_key() == key
    assert AuthorityIdentity.open(court.directory).certificate == court.certificate


def test_a_call_is_signed_by_the_officer(court: AuthorityIdentity) -> None:
    """ES256 under the key of the first certificate in x5c; anybody can verify it."""
    token = court.sign(b'{"purpose": "status"}')

    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"], len(header["x5c"])) == ("ES256", CALL_TYPE, 2)
    assert jwt.api_jws.decode(token, court.certificate.public_key(), ["ES256"]) == b'{"purpose": "status"}'


def test_a_passphrase_seals_the_keys(tmp_path: Path, clock: HandClock) -> None:
    """Without it, or with another one, there is nothing to sign with."""
    made = sealed(tmp_path / "a", clock, "correct horse")

    assert "plain" not in json.loads((tmp_path / "a" / "secrets.json").read_text())
    for wrong in (None, "battery staple"):
        with pytest.raises(AuthorityLocked):
            AuthorityIdentity.open(tmp_path / "a", wrong)
    assert AuthorityIdentity.open(tmp_path / "a", "correct horse").card == made.card


def test_nobody_is_overwritten(court: AuthorityIdentity, clock: HandClock, tmp_path: Path) -> None:
    """A second authority in one place is refused, and the first one stays."""
    with pytest.raises(AuthorityError, match="already"):
        authority(tmp_path, clock)
    assert AuthorityIdentity.open(court.directory).card == court.card


def test_there_is_none(tmp_path: Path) -> None:
    """It says how one is made."""
    with pytest.raises(AuthorityError, match="authority init"):
        AuthorityIdentity.open(tmp_path)


@pytest.mark.parametrize("file", ["card.json", "officer.der", "secrets.json"])
@pytest.mark.parametrize("damage", [b"", b"\xff", b"{}"])
def test_damage_is_a_sentence(court: AuthorityIdentity, file: str, damage: bytes) -> None:
    """No file of it can be damaged without being noticed."""
    (court.directory / file).write_bytes(damage)

    with pytest.raises(AuthorityError, match="damaged"):
        AuthorityIdentity.open(court.directory)


@pytest.mark.parametrize("file", ["card.json", "officer.der", "secrets.json"])
def test_files_of_another_one_are_noticed(
    court: AuthorityIdentity, tmp_path: Path, clock: HandClock, file: str
) -> None:
    """A certificate, card or key of somebody else's does not go with the others."""
    other = authority(tmp_path / "other", clock, "other-court")
    (court.directory / file).write_bytes((other.directory / file).read_bytes())

    with pytest.raises(AuthorityError, match="damaged"):
        AuthorityIdentity.open(court.directory)


def test_the_first_relay_is_the_one(court: AuthorityIdentity) -> None:
    """What was met first is remembered; another id or certificate under it is refused."""
    assert court.relay() is None
    court.meet(RELAY)

    assert court.meet(RELAY.model_copy(update={"version": "2"})).version == "2"
    for change in ({"id": "another"}, {"certificate": "another"}):
        with pytest.raises(IdentityRejected):
            court.meet(RELAY.model_copy(update=change))
    assert court.relay() == RELAY


def test_what_is_remembered_is_not_guessed(court: AuthorityIdentity) -> None:
    """A damaged memory of the relay is an error, not a first meeting."""
    (court.directory / "relay.json").write_text("{")

    with pytest.raises(StoreDamaged):
        court.meet(RELAY)


@pytest.mark.parametrize("name", ["", " ", "a" * 65, "line\nbreak", "\u202eevil"])
def test_what_is_no_name(tmp_path: Path, clock: HandClock, name: str) -> None:
    """Nothing is made for an id that could not be shown or certified."""
    with pytest.raises(Malformed):
        AuthorityIdentity.create(
            tmp_path / "y", OfficerName(name, "J. Doe"), "t", "us", AuthorityKind.JUDGE, clock, cost=CHEAP
        )
    assert not (tmp_path / "y").exists()


def test_an_officer_may_be_called_anything_that_can_be_read(tmp_path: Path, clock: HandClock) -> None:
    """Names with spaces, slashes and letters of any script are in the certificate as they are written."""
    made = authority(tmp_path, clock, officer="Ž. O'Neill/2 %")

    assert officer_of(made.certificate).officer == "Ž. O'Neill/2 %"
