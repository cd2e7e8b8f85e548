"""What a malicious relay can try: each attack is noticed by whom it must be, and would have succeeded otherwise."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from blindrelay.clients import HistoryRejected
from blindrelay.clients.contacts import Contacts
from blindrelay.clients.heads import Heads
from blindrelay.clients.keystore import Space
from blindrelay.clients.ratchet import Ratchet
from blindrelay.proofs.attacks import catalogue
from blindrelay.proofs.attacks.catalogue.ghost_device import GHOST
from blindrelay.proofs.attacks.fork import Fork
from blindrelay.proofs.attacks.model import Attack, Noticed, Outcome, Variant
from blindrelay.proofs.attacks.play import carry_out
from blindrelay.proofs.attacks.stage import PATIENCE, Stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol import certificates
from blindrelay.protocol.statements import Prekey, Signed
from blindrelay.protocol.transparency.policy import Trust

EVERY = [(attack, variant) for attack in catalogue.every() for variant in attack.variants]
NAMES = [f"{attack.name}/{variant.name}" for attack, variant in EVERY]

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize(("attack", "variant"), EVERY, ids=NAMES)
async def test_it_is_noticed_and_nothing_is_lost(attack: Attack, variant: Variant) -> None:
    """By the party and the check that it must be noticed by; nobody but its recipient can read anything of a letter."""
    outcome = await carry_out(attack, variant)

    assert outcome.noticed is not None
    assert (outcome.noticed.party, outcome.noticed.check) == (variant.party, variant.check)
    assert outcome.read == ()
    assert outcome.left == (1 if variant.letter_leaves else 0)
    assert outcome.caught
    assert outcome.noticed.error in dict(outcome.sees).values()
    assert {"the relay", variant.party} <= {party for party, _ in outcome.sees}


# What clients check, switched off one by one.


def no_chain(patch: pytest.MonkeyPatch) -> None:
    """Whoever has certified a device."""
    patch.setattr(certificates, "verify", lambda certificate, *_: certificates.subject_of(certificate))


def no_inclusion(patch: pytest.MonkeyPatch) -> None:
    """Whatever is in the log."""
    patch.setattr(Heads, "check_included", lambda *_: None)


def no_signature(patch: pytest.MonkeyPatch) -> None:
    """Whoever has signed a statement or a prekey."""
    patch.setattr(Signed, "open_as", lambda self, _purpose, kind, _key: kind.model_validate_json(self.body))


def no_prekey_check(patch: pytest.MonkeyPatch) -> None:
    """Whosever prekey it is."""
    patch.setattr(Contacts, "check_prekey", lambda _self, _device, signed: Prekey.model_validate_json(signed.body).key)


def no_history(patch: pytest.MonkeyPatch) -> None:
    """Whatever the log has been before."""
    patch.setattr(Heads, "_prove", lambda *_: None)


def no_witness(patch: pytest.MonkeyPatch) -> None:
    """However few witnesses have cosigned, and however long ago."""
    patch.setattr(Trust, "is_met_by", lambda *_: True)


def no_gossip(patch: pytest.MonkeyPatch) -> None:
    """Whatever others have seen."""
    patch.setattr(Heads, "hear", lambda *_: None)


def no_memory_of_roots(patch: pytest.MonkeyPatch) -> None:
    """Whatever root an enterprise had before."""

    def pin_root(self: Contacts, tenant: str, root: bytes) -> Any:
        self._store.delete(Space.ROOT, tenant)
        return honest(self, tenant, root)

    honest = Contacts.pin_root
    patch.setattr(Contacts, "pin_root", pin_root)


def no_memory_of_devices(patch: pytest.MonkeyPatch) -> None:
    """Whatever a device has stated before."""
    honest = Contacts._verify
    patch.setattr(
        Contacts, "_verify", lambda self, address, shown, root, _known: honest(self, address, shown, root, None)
    )


def one_time_keys_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A device that does not forget a one-time key that was used."""

    def accept(self: Ratchet, *arguments: Any) -> bytes:
        pickle = self._account.pickle(self._pickle_key)
        plaintext = honest(self, *arguments)
        self._account = type(self._account).from_pickle(pickle, self._pickle_key)
        self._keep_account()
        return plaintext

    honest = Ratchet._accept_session
    patch.setattr(Ratchet, "_accept_session", accept)


#: What has to be switched off for an attack to succeed: with two, each of them notices it alone.
SWITCHES: dict[str, Sequence[Patch]] = {
    "ghost-device/another-ca": (no_chain, no_inclusion),
    "ghost-device/compelled-ca": (no_inclusion,),
    "key-substituted-for-one/unsigned": (no_signature, no_inclusion),
    "key-substituted-for-one/compelled-ca": (no_inclusion,),
    "log-rollback/shorter": (no_history,),
    "log-rollback/grown-again": (no_history,),
    "prekey-repeated/to-two-people": (one_time_keys_for_ever,),
    "prekey-substituted/of-its-own-making": (no_prekey_check,),
    "prekey-substituted/of-another-device": (no_prekey_check,),
    "split-view/honest-witness": (no_witness,),
    "split-view/no-witness": (no_gossip,),
    "split-view/colluding-witness": (no_gossip,),
    "stale-directory/witnessed": (no_witness,),
    "stale-directory/no-witness": (no_gossip,),
    "statement-replayed/lower-sequence": (no_memory_of_devices,),
    "tenant-root-swapped/known": (no_memory_of_roots, no_inclusion),
    "tenant-root-swapped/first-contact": (no_inclusion,),
}


@pytest.mark.parametrize(("attack", "variant"), EVERY, ids=NAMES)
async def test_without_the_check_it_succeeds(attack: Attack, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacks are real: a client that does not look sends the letter, and the attacker has what they wanted."""
    for switch in SWITCHES[f"{attack.name}/{variant.name}"]:
        switch(monkeypatch)

    outcome = await carry_out(attack, variant)

    assert outcome.noticed is None
    assert not outcome.caught
    assert outcome.left >= 1
    if attack.name not in NOT_READ:
        assert outcome.read == ("This is for you alone.",)


#: What these win is no letter at once: a first letter that one key fewer protects.
NOT_READ = {"prekey-substituted", "prekey-repeated"}


@pytest.mark.parametrize(
    ("name", "left_on"),
    [(name, switch) for name, switches in SWITCHES.items() if len(switches) > 1 for switch in switches],
)
async def test_where_two_checks_notice_it_each_does(name: str, left_on: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Defence in depth: one that is broken is no loss where there is another one."""
    attack, variant = EVERY[NAMES.index(name)]
    for switch in SWITCHES[name]:
        if switch is not left_on:
            switch(monkeypatch)
    outcome = await carry_out(attack, variant)
    assert outcome.noticed is not None
    assert (outcome.left, outcome.read) == (0, ())


# What is not an attack, and what cannot be prevented.


@pytest.mark.parametrize("witnessed", [False, True], ids=["no witness", "witnessed"])
async def test_an_honest_relay_raises_no_alarm(tmp_path: Path, witnessed: bool) -> None:
    """Devices come, are replaced and revoked, hours pass, the relay is restarted: letters arrive, and nobody is alarmed."""
    async with Stage(tmp_path, witnessed=witnessed) as stage:
        await stage.converse(stage.alice, stage.bob)
        laptop = await stage.person(stage.globex, "bob", "laptop")
        stage.leap(7_200)
        await stage.relay.keep_house()
        await stage.restart_relay(lambda: None)
        await stage.globex.revoke("bob", "phone")
        stage.begin()

        assert await stage.write() is None

        assert (await laptop.receive(PATIENCE)).text == "This is for you alone."
        assert [each.recipient for each in stage.loot()] == [str(laptop.address)]
        await stage.converse(laptop, stage.alice)
        for device in (stage.alice, laptop):
            assert device._running.heads.alarm is None


async def test_gossip_is_evidence_and_no_prevention(tmp_path: Path) -> None:
    """Without an honest witness, the first letter that is written under another history is lost: witnesses are there for that.

    Whoever receives it has proof then, and writes no more; a relay that keeps it from arriving is noticed by that.
    """
    async with Stage(tmp_path) as stage:
        await stage.converse(stage.alice, stage.bob)
        stage.begin()
        ghost = Thief.of_new_device(GHOST, stage.globex.authority, stage.clock)
        stage.thieves.append(ghost)
        await stage.insider.admit(ghost.identity.certificate)
        at = stage.insider.log.published.checkpoint.size
        await stage.person(stage.globex, "carol")
        fork = await stage.enter(Fork.open(stage, ghost, at))
        fork.show(stage.alice.address)
        await stage.bob.look_up(stage.alice.user)

        assert await stage.write() is None
        assert await stage.read() == ["This is for you alone."]

        await stage.bob.receive(PATIENCE)
        with pytest.raises(HistoryRejected) as caught:
            await stage.bob.send(stage.alice.user, "I have got it.")
        assert caught.value.check == "split-view"
        assert str(stage.alice.address) in caught.value.reason


# The catalogue.


def test_names_say_what_they_name() -> None:
    """A module is called like its attack; attacks and variants are written like options."""
    for name, attack in zip(catalogue.names(), catalogue.every(), strict=True):
        assert attack.name == name
        variants = [variant.name for variant in attack.variants]
        assert len(set(variants)) == len(variants) > 0
        assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", each) for each in [name, *variants])


def test_an_attack_that_there_is_not() -> None:
    """The error lists those that there are."""
    with pytest.raises(LookupError, match="ghost-device"):
        catalogue.find("gost-device")


def test_an_outcome_is_no_success_by_itself() -> None:
    """Noticed by somebody else, by another check, or too late: none of these counts as caught."""
    attack, variant = EVERY[0]

    def outcome(party: str, check: str, left: int = 0, read: tuple[str, ...] = ()) -> Outcome:
        return Outcome(attack, variant, Noticed(party, check, "..."), (), left, read, 0.0)

    assert outcome(variant.party, variant.check).caught
    assert not outcome("mallory's client", variant.check).caught
    assert not outcome(variant.party, "weather").caught
    assert not outcome(variant.party, variant.check, left=1).caught
    assert not outcome(variant.party, variant.check, left=1, read=("all of it",)).caught
    assert not Outcome(attack, variant, None, (), 0, (), 0.0).caught


def test_the_pages_name_every_attack_with_its_check() -> None:
    """SECURITY.md has a row for each attack, and the page about them one for each way; both name the check that fails."""
    root = Path(__file__).parents[3]
    security = (root / "SECURITY.md").read_text()
    page = (root / "docs" / "explanation" / "what-a-malicious-relay-can-try.md").read_text()
    for attack, variant in EVERY:
        (row,) = re.findall(rf"^\| `{attack.name}` \|.*$", security, re.MULTILINE)
        assert f"`{variant.check}`" in row
        (row,) = re.findall(rf"^\| `{attack.name}/{variant.name}` \|.*$", page, re.MULTILINE)
        assert f"`{variant.check}`" in row.rpartition(" | ")[2]
    named = re.findall(r"^\| `([\w-]+)/[\w-]+` \|", page, re.MULTILINE)
    assert set(named) == set(catalogue.names())
