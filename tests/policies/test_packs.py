"""Packs that are loaded: all or nothing, with the invariants, under one digest."""

import shutil
from pathlib import Path

import pytest

from blindrelay.policies.findings import PacksRejected
from blindrelay.policies.locations import SHIPPED
from blindrelay.policies.packs import Policies
from blindrelay.policies.vocabulary import AuthorityKind, DataClass, Outcome
from support.lawful import by_class, data, decided, request
from support.packs import PERMIT, write_pack


def test_six_jurisdictions_and_the_invariants_are_shipped(policies: Policies) -> None:
    """Whoever reads of them in the documentation finds them."""
    assert set(policies.packs) >= {"pk", "us", "eu", "uk", "in", "au"}
    assert {each.id for each in policies.invariants} == {
        f"invariants/{name}" for name in ("content", "keys", "bulk", "capability")
    }


def test_every_pack_says_that_it_is_no_legal_advice_and_what_it_leaves_out(policies: Policies) -> None:
    """Nobody is to take a model for the law."""
    for pack in policies.packs.values():
        assert "not legal advice" in pack.manifest.not_legal_advice
        assert pack.manifest.simplifies


def test_a_pack_of_ones_own_comes_with_the_shipped_invariants(tmp_path: Path) -> None:
    """A folder without invariants is not a world without them."""
    policies = Policies.load([write_pack(tmp_path)])

    assert set(policies.packs) == {"zz"}
    assert len(policies.invariants) == 4


def test_one_wrong_policy_keeps_every_pack_from_being_loaded(tmp_path: Path) -> None:
    """Half of a policy may be the half that permits."""
    write_pack(tmp_path)
    write_pack(tmp_path, PERMIT.replace("@id", "@name"), {"jurisdiction": "yy"}, {"id": "yy/order"}, name="yy")

    with pytest.raises(PacksRejected, match=r"packs/yy/policies.cedar:1:1: error"):
        Policies.load([tmp_path])


def test_a_path_without_a_pack_is_an_error(tmp_path: Path) -> None:
    """An empty folder is a slip, not an empty policy."""
    with pytest.raises(PacksRejected, match="holds no pack"):
        Policies.load([tmp_path])
    with pytest.raises(PacksRejected, match="is not a folder"):
        Policies.load([tmp_path / "nowhere"])


def test_a_pack_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    """Which of them decides must not depend on their order."""
    first, second = write_pack(tmp_path / "a"), write_pack(tmp_path / "b")

    with pytest.raises(PacksRejected, match="zz is there twice"):
        Policies.load([first, second])


def test_the_digest_is_that_of_what_is_decided_with(tmp_path: Path) -> None:
    """The same files have the same digest wherever they lie; another word has another."""
    here = Policies.load([write_pack(tmp_path / "a")]).digest

    assert Policies.load([write_pack(tmp_path / "b")]).digest == here
    assert Policies.load([write_pack(tmp_path / "c", PERMIT + "\n")]).digest != here
    assert Policies.load([write_pack(tmp_path / "d", manifest={"title": "Elsewhere"})]).digest != here


def test_a_copy_of_the_shipped_packs_decides_as_they_do(policies: Policies, tmp_path: Path) -> None:
    """Nothing depends on where the packs lie."""
    shutil.copytree(SHIPPED, tmp_path / "packs")

    assert Policies.load([tmp_path / "packs"]).digest == policies.digest


def test_another_pack_has_no_say(tmp_path: Path) -> None:
    """What one country permits under an instrument is nothing to another's instruments."""
    write_pack(tmp_path, PERMIT.replace("TrafficRecords", "SubscriberRecords"))
    write_pack(tmp_path, PERMIT.replace("zz/", "yy/"), {"jurisdiction": "yy"}, {"id": "yy/order"}, name="yy")
    policies = Policies.load([tmp_path])
    made = request("zz/order", data(DataClass.TRAFFIC, DataClass.SUBSCRIBER), issued_by=AuthorityKind.JUDGE)
    found = by_class(decided(policies, made))

    assert found[DataClass.TRAFFIC].outcome is Outcome.REFUSED
    assert found[DataClass.SUBSCRIBER].outcome is Outcome.GRANTED


def test_a_reason_says_where_it_stands(policies: Policies) -> None:
    """Whoever doubts a decision opens the file at the line."""
    found = by_class(decided(policies, request("us/d-order")))[DataClass.TRAFFIC].reasons[0]
    assert found.location is not None
    file, _, line = found.location.rpartition(":")
    text = (SHIPPED.parent / file).read_text().splitlines()[int(line) - 1]

    assert text == f'@id("{found.policy_id.removeprefix("us/")}")'


def test_the_row_of_a_manifest_says_where_it_stands(policies: Policies) -> None:
    """So does a row of the law."""
    file, _, line = policies.packs["us"].location("us/d-order").rpartition(":")

    assert (SHIPPED.parent / file).read_text().splitlines()[int(line) - 1] == "  - id: us/d-order"
