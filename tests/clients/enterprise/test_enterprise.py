"""An enterprise and a relay: register, enrol, revoke."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy

from blindrelay.clients import AdmissionRefused, Device, Enterprise, NotEnrolled, RequestRefused, StoreError
from blindrelay.clients.errors import UnknownRecipient, WrongPassphrase
from blindrelay.clients.vault import CHEAP
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency import directory
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from support import people
from support.people import BRISK, SOON


async def test_registering_twice_is_the_same_as_once(relay: Relay) -> None:
    """An enterprise may be entered again and again."""
    acme = Enterprise.create("acme.example", people.address_of(relay))
    async with acme:
        pass
    async with acme:
        pass


async def test_a_name_that_is_taken_says_what_to_do(relay: Relay) -> None:
    """Another root under the same name is refused, with a way out."""
    async with people.enterprise(relay, "acme.example"):
        with pytest.raises(RequestRefused, match=r"Enterprise\.open"):
            async with people.enterprise(relay, "acme.example"):
                pass


async def test_without_the_code_only_who_is_known_gets_in(relay: Relay, tmp_path: Path) -> None:
    """The registration code is needed once."""
    without = people.address_of(relay, code=False)
    with pytest.raises(NotEnrolled, match="registration code"):
        async with Enterprise.create("acme.example", without):
            pass
    folder = tmp_path / "acme"
    async with Enterprise.create("acme.example", people.address_of(relay), folder=folder):
        pass
    async with Enterprise.open(folder, without) as again:
        assert again.name == "acme.example"


async def test_a_wrong_code_is_refused(relay: Relay) -> None:
    """The relay says no; the code does not show."""
    wrong = replace(people.address_of(relay), registration_code="not-the-code")
    with pytest.raises(AdmissionRefused) as refused:
        async with Enterprise.create("acme.example", wrong):
            pass
    assert "not-the-code" not in str(refused.value)


async def test_a_device_can_be_written_to_as_soon_as_it_is_enrolled(relay: Relay) -> None:
    """Enrolling leaves the device's keys with the relay, so that mail for it can wait."""
    async with people.enterprise(relay, "acme.example") as acme:
        alice, bob = await acme.enrol("alice", "laptop"), await acme.enrol("bob", "phone")
        async with alice:
            await (await alice.send("bob@acme.example", "welcome")).accepted(SOON)
        async with bob:
            assert (await bob.receive(SOON)).text == "welcome"


async def test_an_archive_is_shown_to_everybody_who_writes(relay: Relay) -> None:
    """A compliance archive is a device like others, and is marked as what it is: to who writes, and in the public log."""
    async with people.enterprise(relay, "acme.example") as acme:
        alice = await acme.enrol("alice", "laptop")
        await acme.enrol("bob", "phone")
        await acme.enrol("bob", "archive", archive=True)
        async with alice:
            contact = await alice.look_up("bob@acme.example")
    assert [device.address.device for device in contact.archives] == ["archive"]
    assert len(contact.recipients) == 2
    stored = sqlalchemy.select(tables.directory_entry.c.body)
    bodies = await relay.committer.read(lambda connection: list(connection.execute(stored).scalars()))
    devices = [entry for body in bodies if isinstance(entry := directory.parse(body), directory.DeviceStated)]
    assert [device.archive for device in devices] == [False, False, True]


async def test_a_device_on_disk_is_its_owners_alone(relay: Relay, tmp_path: Path) -> None:
    """An issued device is sealed under its passphrase, and its files are nobody else's."""
    folder = tmp_path / "bob"
    async with people.enterprise(relay, "acme.example") as acme:
        address = await acme.issue("bob", "phone", folder, "correct horse", cost=CHEAP)
        assert address == DeviceAddress("acme.example", "bob", "phone")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} <= {0o600}
        with pytest.raises(WrongPassphrase):
            Device.open(folder, "wrong", people.address_of(relay))
        with pytest.raises(StoreError):
            await acme.issue("bob", "phone", folder, "correct horse", cost=CHEAP)
    async with Device.open(folder, "correct horse", people.address_of(relay), options=BRISK) as bob:
        assert bob.user == UserAddress("acme.example", "bob")
    with pytest.raises(NotEnrolled):
        Device.open(tmp_path / "nowhere", "x", people.address_of(relay))


async def test_revoked_means_out(relay: Relay) -> None:
    """The relay admits a revoked device no more, and says so; one never enrolled cannot be revoked."""
    async with people.enterprise(relay, "acme.example") as acme:
        bob = await acme.enrol("bob", "phone")
        assert await acme.revoke("bob", "phone") == 1
        with pytest.raises(AdmissionRefused, match="revoked"):
            async with bob:
                pass
        with pytest.raises(NotEnrolled):
            await acme.revoke("carol", "phone")
        assert acme.devices() == [DeviceAddress("acme.example", "bob", "phone")]


async def test_leaving_is_for_good(relay: Relay, tmp_path: Path) -> None:
    """Its people get in no more, contacts are told, the name is gone; and asking again is harmless, restarted or not."""
    folder = tmp_path / "acme"
    async with (
        Enterprise.create("acme.example", people.address_of(relay), folder=folder) as acme,
        people.enterprise(relay, "globex.example") as globex,
    ):
        alice, bob = await acme.enrol("alice", "laptop"), await globex.enrol("bob", "phone")
        assert await acme.leave()
        assert not await acme.leave()
        assert not await Enterprise.open(folder, people.address_of(relay)).leave()
        with pytest.raises(AdmissionRefused, match="has left this relay"):
            async with alice:
                pass
        async with bob:
            with pytest.raises(UnknownRecipient, match="has left this relay"):
                await bob.send(alice.user, "are you there?")
        with pytest.raises(RequestRefused, match="has left this relay for good"):
            await acme.register()
    stranger = Enterprise.create("nobody.example", people.address_of(relay))
    with pytest.raises(NotEnrolled, match="does not know"):
        await stranger.leave()


async def test_names_are_checked_before_anything_happens(relay: Relay) -> None:
    """A name that is none is an error of its own."""
    with pytest.raises(Malformed, match="tenant name"):
        Enterprise.create("not a domain", people.address_of(relay))
    async with people.enterprise(relay, "acme.example") as acme:
        with pytest.raises(Malformed, match="user name"):
            await acme.enrol("al/ice", "laptop")
        assert acme.devices() == []
