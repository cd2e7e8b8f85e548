"""What a malicious relay can try: each attack is noticed by whom it must be, and would have succeeded otherwise."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from blindrelay.clients.auditor import audit
from blindrelay.clients.auditor.accounting import Account
from blindrelay.clients.auditor.log import PublicLog
from blindrelay.clients.auditor.tree import VerifiedTree
from blindrelay.clients.auditor.watch import Own
from blindrelay.clients.authority import receipt
from blindrelay.clients.contacts import Contacts
from blindrelay.clients.heads import Heads
from blindrelay.clients.keystore import Space
from blindrelay.clients.ratchet import Ratchet
from blindrelay.proofs.attacks import catalogue
from blindrelay.proofs.attacks.court import Court
from blindrelay.proofs.attacks.model import Attack, Loss, Noticed, Outcome, Scene, Variant
from blindrelay.proofs.attacks.play import carry_out
from blindrelay.proofs.attacks.stage import PATIENCE, WORDS, Stage
from blindrelay.protocol import certificates
from blindrelay.protocol.statements import Prekey, Signed
from blindrelay.protocol.transparency.policy import Trust

EVERY = [(attack, variant) for attack in catalogue.every() for variant in attack.variants]
NAMES = [f"{attack.name}/{variant.name}" for attack, variant in EVERY]

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize(("attack", "variant"), EVERY, ids=NAMES)
async def test_it_is_noticed_and_nothing_is_lost(attack: Attack, variant: Variant) -> None:
    """By the party and the check that it must be noticed by; nothing is lost, or no more than is said."""
    outcome = await carry_out(attack, variant)
    scene = outcome.scene

    assert scene.noticed is not None
    assert (scene.noticed.party, scene.noticed.check) == (variant.party, variant.check)
    assert scene.loss is variant.loss
    assert scene.left == 0 or variant.loss is not Loss.NOTHING
    assert outcome.caught
    assert (variant.party, scene.noticed.error) in scene.sees
    assert "the relay" in dict(scene.sees)


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


def no_objections(patch: pytest.MonkeyPatch) -> None:
    """Whatever is in the log about an enterprise."""
    patch.setattr(Own, "objection", lambda *_: None)


def no_look_at_entries(patch: pytest.MonkeyPatch) -> None:
    """Whether or not an entry is the one in the tree."""
    patch.setattr(VerifiedTree, "_checked_entry", lambda _self, _index, _hash, entries: next(iter(entries), b""))


def no_memory_of_the_log(patch: pytest.MonkeyPatch) -> None:
    """Whatever the log was the last time."""

    async def compare(*_: object) -> None:
        """Nothing."""

    patch.setattr(PublicLog, "_compare", compare)


def no_receipts(patch: pytest.MonkeyPatch) -> None:
    """Whatever package the log has."""
    patch.setattr(receipt, "_check_package", lambda *_: None)
    patch.setattr(receipt, "_check_before", lambda *_: None)


def no_accounts(patch: pytest.MonkeyPatch) -> None:
    """Whatever came before a disclosure."""
    patch.setattr(Account, "check", lambda _: [])
    no_comparison(patch)


def no_comparison(patch: pytest.MonkeyPatch) -> None:
    """Whatever the report says."""
    patch.setattr(audit, "compare", lambda *_: [])


def no_digests(patch: pytest.MonkeyPatch) -> None:
    """Whatever package a receipt is of."""

    async def flaws(*_: object) -> AsyncIterator[str]:
        for nothing in ():
            yield nothing

    patch.setattr(audit, "_package_flaws", flaws)


#: What has to be switched off for an attack to succeed: with two, each of them notices it alone.
SWITCHES: dict[str, Sequence[Patch]] = {
    "disclosure-unlogged/without-an-entry": (no_receipts,),
    "disclosure-unlogged/without-a-request": (no_accounts,),
    "disclosure-unlogged/not-in-the-report": (no_comparison,),
    "ghost-device/another-ca": (no_chain, no_inclusion),
    "ghost-device/compelled-ca": (no_inclusion,),
    "ghost-device/logged": (no_objections,),
    "key-substituted-for-one/unsigned": (no_signature, no_inclusion),
    "key-substituted-for-one/compelled-ca": (no_inclusion,),
    "log-entry-edited/in-its-file": (no_look_at_entries,),
    "log-entry-edited/and-signed-anew": (no_memory_of_the_log,),
    "log-entry-edited/for-a-newcomer": (no_witness,),
    "log-entry-removed/from-its-file": (no_look_at_entries,),
    "log-entry-removed/and-signed-anew": (no_memory_of_the_log,),
    "log-rollback/shorter": (no_history,),
    "log-rollback/grown-again": (no_history,),
    "prekey-repeated/to-two-people": (one_time_keys_for_ever,),
    "prekey-substituted/of-its-own-making": (no_prekey_check,),
    "prekey-substituted/of-another-device": (no_prekey_check,),
    "split-view/honest-witness": (no_witness,),
    "split-view/no-witness": (no_gossip,),
    "split-view/colluding-witness": (no_gossip,),
    "split-view/victim-writes-first": (no_gossip,),
    "stale-directory/witnessed": (no_witness,),
    "stale-directory/no-witness": (no_gossip,),
    "statement-replayed/lower-sequence": (no_memory_of_devices,),
    "tenant-root-swapped/known": (no_memory_of_roots, no_inclusion),
    "tenant-root-swapped/first-contact": (no_inclusion,),
    "tenant-root-swapped/root-withheld": (no_inclusion,),
    "tenant-root-swapped/logged": (no_objections,),
    "two-packages-one-entry/handed-over": (no_receipts,),
    "two-packages-one-entry/shown-to-an-auditor": (no_digests,),
}


@pytest.mark.parametrize(("attack", "variant"), EVERY, ids=NAMES)
async def test_without_the_check_it_succeeds(attack: Attack, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacks are real: a client that does not look sends the letter, and the attacker has what they wanted."""
    for switch in SWITCHES[f"{attack.name}/{variant.name}"]:
        switch(monkeypatch)

    outcome = await carry_out(attack, variant)

    assert outcome.scene.noticed is None
    assert not outcome.caught
    if attack.name not in NO_LETTERS:
        assert outcome.scene.left >= 1
    if attack.name not in NOT_READ:
        assert outcome.scene.read == (WORDS,)


#: What is not about letters; and what wins no letter at once, but a first one that one key fewer protects.
NO_LETTERS = {"log-entry-edited", "log-entry-removed", "disclosure-unlogged", "two-packages-one-entry"}
NOT_READ = {*NO_LETTERS, "prekey-substituted", "prekey-repeated"}


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
    scene = (await carry_out(attack, variant)).scene
    assert scene.noticed is not None
    assert scene.loss is Loss.NOTHING


# What is not an attack.


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

        assert (await laptop.receive(PATIENCE)).text == WORDS
        assert [each.recipient for each in stage.loot()] == [str(laptop.address)]
        await stage.converse(laptop, stage.alice)
        for device in (stage.alice, laptop):
            assert device._running.heads.alarm is None


async def test_an_honest_desk_is_accounted_for(tmp_path: Path) -> None:
    """A package that is in the log is opened, and the auditor finds its request and its decision before it."""
    async with Court(tmp_path) as court:
        await court.approve()
        package = await court.fetch("honest")
        assert await court.open_package(package) is None
        assert await court.audit(package) is None


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

    def caught(party: str, check: str, left: int = 0, read: tuple[str, ...] = ()) -> bool:
        return Outcome(attack, variant, Scene(Noticed(party, check, "..."), (), 0.0, left, read)).caught

    assert caught(variant.party, variant.check)
    assert not caught("mallory's client", variant.check)
    assert not caught(variant.party, "weather")
    assert not caught(variant.party, variant.check, left=1)
    assert not caught(variant.party, variant.check, left=1, read=("all of it",))
    assert not Outcome(attack, variant, Scene(None, (), 0.0)).caught


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
