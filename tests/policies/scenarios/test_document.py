"""Scenario files: what is read, and what is said about those that are none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.policies.scenarios.document import MAX_BYTES, BadScenario, find, parse, read

HERE = Path("mine.scenario.yaml")
SMALL = """\
scenario: small
title: Two people
start: 2026-03-02
tenants:
  - name: acme.example
    jurisdiction: no
    users: {alice: [laptop], bob: [phone]}
authorities:
  court: {name: A court, jurisdiction: no, kind: judge, officers: [J. Doe]}
instruments:
  order: {id: no/order, reference: A1, issued_by: judge, valid: {from: 2026-03-01, until: 2026-04-01}}
variants: {one: The one, two: The other}
traffic:
  - {id: letter, at: 2026-03-03T09:00:00Z, from: alice@acme.example, to: bob@acme.example, text: "what alice wrote"}
steps:
  - at: 2026-03-04
    demand:
      case: first
      by: court
      under: order
      asks:
        - {id: data, classes: [TRAFFIC], targets: [alice@acme.example], window: {from: 2026-03-01, until: 2026-03-04}}
    expect:
      decisions: {first/data: granted}
  - after: PT1H
    only_in: [two]
    approve: {demand: first/data, by: [anna]}
"""


def changed(old: str, new: str) -> str:
    """The small scenario with a change."""
    assert old in SMALL
    return SMALL.replace(old, new)


def complaint(text: str) -> str:
    """What is said about a text that is no scenario."""
    with pytest.raises(BadScenario) as caught:
        parse(text, HERE)
    return str(caught.value)


def test_dates_and_countries_stay_what_they_are() -> None:
    """A date alone is its first second in UTC, and `no` is Norway and not false."""
    scenario = parse(SMALL, HERE).scenario

    assert scenario.start.isoformat() == "2026-03-02T00:00:00+00:00"
    assert scenario.tenants[0].jurisdiction == "no"


def test_each_step_knows_its_line_and_its_moment() -> None:
    """For messages, and for steps that say how long after the one before."""
    source = parse(SMALL, HERE)

    assert [SMALL.splitlines()[line - 1].strip() for line in source.lines] == ["- at: 2026-03-04", "- after: PT1H"]
    assert [at.isoformat() for _, at, _ in source.scenario.steps_of("two")] == [
        "2026-03-04T00:00:00+00:00",
        "2026-03-04T01:00:00+00:00",
    ]
    assert [number for number, _, _ in source.scenario.steps_of("one")] == [0]


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("title: Two people", "titel: Two people", "mine.scenario.yaml:2: titel", "no such key"),
        ("granted", "grantd", ":24: steps.0.expect.decisions.first/data", "Input should be"),
        ("kind: judge, officers", "kind: juge, officers", ":9: authorities.court.kind", "judge"),
        ("at: 2026-03-03T09:00:00Z", "at: 2026-03-03T09:00:00", ":14: traffic.0.at", "timezone"),
        ('"what alice wrote"', '"short"', ":14: traffic.0.text", "at least 12"),
        ("  - at: 2026-03-04", "  - at: 2026-03-01", ":16: steps.0.at", "where the clock stands"),
        ("to: bob@acme.example", "to: rob@acme.example", ":14: traffic.0.to", "there is no user"),
        ("by: court", "by: curt", ":19: steps.0.demand.by", "there is no authority"),
        ("under: order", "under: oder", ":20: steps.0.demand.under", "there is no instrument"),
        ("first/data: granted", "first/dato: granted", ":16: steps.0", "there is no demand 'first/dato'"),
        ("only_in: [two]", "only_in: [three]", ":26: steps.1.only_in", "there is no variant"),
        ("by: [anna]", "by: [ann]", ":27: steps.1.approve.by", "there is no person"),
        ("after: PT1H", "after: -PT1H", ":25: steps.1", "goes forward"),
        ("    approve:", "    restart: true\n    approve:", ":25: steps.1", "a step does one thing"),
        ("start: 2026-03-02", "start: 2026-03-02\nstart: 2026-03-02", ":4:", "there twice"),
        ("title: Two people", "title: [Two", ":3:", "not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, where: str, what: str) -> None:
    """File, line, key and a sentence."""
    said = complaint(changed(old, new))

    assert where in said
    assert what in said


def test_a_case_of_one_variant_is_not_there_in_another() -> None:
    """What a variant leaves out cannot be named in it."""
    said = complaint(changed("  - at: 2026-03-04\n", "  - at: 2026-03-04\n    only_in: [one]\n"))

    assert "there is no demand 'first/data'" in said
    assert "(variant two)" in said


@pytest.mark.parametrize("text", ["", "\n", "---\n", "a: &a [*a]", "just words", "- 1", "!!python/object:os.system {}"])
def test_what_is_no_mapping_is_no_scenario(text: str) -> None:
    """Neither nothing, nor words, nor a document that holds itself, nor a tag that would make an object."""
    assert "mine.scenario.yaml" in complaint(text)


@given(st.text(max_size=400))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    """Whatever the bytes, the answer is a sentence about the file."""
    assert "mine.scenario.yaml" in complaint(text)


def test_a_file_has_a_size(tmp_path: Path) -> None:
    """One that is far too large is not read."""
    path = tmp_path / "big.scenario.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))

    with pytest.raises(BadScenario, match="the most"):
        read(path)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """So is a folder without scenarios, and a path with nothing at it."""
    with pytest.raises(BadScenario, match="No such file"):
        read(tmp_path / "none.scenario.yaml")
    with pytest.raises(BadScenario, match="there is no file"):
        find([tmp_path])
    with pytest.raises(BadScenario, match="no such file or folder"):
        find([tmp_path / "nowhere"])


def test_scenarios_are_found_below_a_folder(tmp_path: Path) -> None:
    """Each once, in order; a file that is named counts whatever its name."""
    for name in ("b.scenario.yaml", "deep/a.scenario.yaml", "other.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SMALL)

    found = find([tmp_path, tmp_path / "b.scenario.yaml", tmp_path / "other.yaml"])

    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "b.scenario.yaml",
        "deep/a.scenario.yaml",
        "other.yaml",
    ]


def test_policies_lie_beside_the_file(tmp_path: Path) -> None:
    """What a scenario names is relative to it, and whoever runs it may name others."""
    source = parse(f"{SMALL}policies: [../packs]\n", tmp_path / "scenarios" / "mine.scenario.yaml")

    assert source.policies == (tmp_path / "packs",)
    assert source.with_policies([tmp_path]).policies == (tmp_path,)
