"""Which cells a change to a pack moves."""

from pathlib import Path

import pytest

from blindrelay.policies.cells import Column
from blindrelay.policies.diff import Direction, Move, concerned, diff
from blindrelay.policies.packs import Policies
from support.packs import INSTRUMENT, PERMIT, write_pack

NOTES = '@id("added") @reason("Added.") @source("Act s.2") @mark("C")\n'
FORBID = NOTES + 'forbid (principal, action == Action::"disclose", resource is TrafficRecords);\n'


def packs(folder: Path, side: str, policies: str = PERMIT, **changes: object) -> Policies:
    return Policies.load([write_pack(folder / side, policies, **changes)])  # type: ignore[arg-type]


def threshold(years: int) -> str:
    return PERMIT.replace(" };", f" && context.offence_max_years >= {years} }};")


def shown(moves: tuple[Move, ...]) -> list[tuple[str, Column, str]]:
    return [(str(move.direction), move.column, move.how) for move in moves]


def test_packs_that_are_the_same_move_nothing(policies: Policies, tmp_path: Path) -> None:
    """Nor are they asked anything; a comment is no change of what anybody gets."""
    assert concerned(policies, Policies.load()) == ()
    assert diff(packs(tmp_path, "old"), packs(tmp_path, "new", "// a comment\n" + PERMIT)) == ()


def test_a_threshold_shows_where_it_makes_a_difference(tmp_path: Path) -> None:
    """At the offences between the two, whichever side has which, with what would have had to differ."""
    old, new = packs(tmp_path, "old", threshold(3)), packs(tmp_path, "new", threshold(5))
    (stricter,) = diff(old, new)
    (laxer,) = diff(new, old)

    assert shown((stricter,)) == [("less", Column.TRAFFIC, "stored")]
    assert shown((laxer,)) == [("more", Column.TRAFFIC, "stored")]
    assert {use.offence_max_years for use in stricter.uses} == {3, 4}
    assert stricter.before.policies == ("zz/order-traffic",)
    assert stricter.after.would_change == ("An offence whose highest penalty is 5 years or more, and that is stated.",)


@pytest.mark.parametrize(
    "condition",
    [
        "",
        'when { resource.tenant == "globex.example" }',
        'when { resource.tenant == "acme.example" }',
        'when { resource.jurisdictions.contains("de") }',
        'when { principal.kind == "police" }',
        'when { context.scope == "accounts" && context.urgency == "emergency" }',
    ],
)
def test_a_forbid_moves_cells_downward_and_no_other(tmp_path: Path, condition: str) -> None:
    """And is seen, whatever it looks at: what it names is tried."""
    forbid = FORBID.replace(");\n", f") {condition};\n")
    found = diff(packs(tmp_path, "old"), packs(tmp_path, "new", PERMIT + forbid))

    assert shown(found) == [("less", Column.TRAFFIC, "stored")]
    assert found[0].after.policies == ("zz/added",)


@pytest.mark.parametrize("jurisdiction", ["eu", "us"])
def test_a_forbid_in_a_shipped_pack_moves_cells_downward(policies: Policies, tmp_path: Path, jurisdiction: str) -> None:
    """Whatever else the pack has."""
    source = Path(__file__).parents[2] / "policies" / "packs" / jurisdiction
    changed = tmp_path / jurisdiction
    changed.mkdir()
    for file in [*source.glob("*.cedar"), source / "manifest.yaml"]:
        (changed / file.name).write_bytes(file.read_bytes())
    old = Policies.load([changed])
    (changed / "added.cedar").write_text(FORBID)
    found = diff(old, Policies.load([changed]))

    assert found
    assert {(move.direction, move.column) for move in found} == {(Direction.LESS, Column.TRAFFIC)}


def test_how_sure_something_is_is_a_move_too(tmp_path: Path) -> None:
    """As much is given, and it rests on less."""
    (found,) = diff(packs(tmp_path, "old"), packs(tmp_path, "new", PERMIT.replace('@mark("C")', '@mark("U")')))

    assert (found.direction, found.before.verdict, found.after.verdict) == ("otherwise", "granted (C)", "granted (U)")


def test_an_instrument_that_one_side_does_not_have_gives_nothing_there(tmp_path: Path) -> None:
    """So that adding one shows as what it gives, and not as every refusal that goes with it."""
    old = packs(tmp_path, "old")
    row = INSTRUMENT | {"id": "zz/warrant"}
    policies = PERMIT + PERMIT.replace("order-traffic", "b").replace("zz/order", "zz/warrant")
    new = packs(tmp_path, "new", policies, manifest={"instruments": [INSTRUMENT, row]})
    (found,) = diff(old, new)

    assert (found.instrument, found.direction, found.column) == ("zz/warrant", "more", Column.TRAFFIC)
    assert diff(new, new) == ()


def test_what_the_law_reaches_moves_why_content_is_refused(tmp_path: Path) -> None:
    """From "the instrument does not reach it" to "there is none"; it is refused before and after."""
    reach = {"reach": [*INSTRUMENT["reach"], "CONTENT"]}
    found = diff(packs(tmp_path, "old"), packs(tmp_path, "new", instrument=reach))

    assert {(move.direction, move.column) for move in found} == {
        ("otherwise", Column.CONTENT),
        ("otherwise", Column.KEYS),
    }
    assert {move.after.verdict for move in found} == {"refused: not held (C)"}
