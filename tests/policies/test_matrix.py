"""What can come of each instrument at best, as the engine itself decides it."""

from pathlib import Path

import pytest

from blindrelay.policies.cells import Column
from blindrelay.policies.matrix import Row, markdown, matrix
from blindrelay.policies.packs import Policies
from blindrelay.policies.vocabulary import Ground, Mark, Outcome
from support.packs import PERMIT, write_pack

NEVER = (Column.CONTENT, Column.KEYS, Column.BULK, Column.CAPABILITY)
THRESHOLD = """@id("order-traffic")
@reason("An order for an offence of five years reaches traffic records.")
@source("Act s.1")
@mark("C")
permit (principal, action == Action::"disclose", resource is TrafficRecords)
when { context.id == "zz/order" && context.offence_max_years >= 5 && context.purpose == "identify" };
"""


@pytest.fixture(scope="module")
def shipped(policies: Policies) -> dict[str, Row]:
    return {row.instrument: row for row in matrix(policies)}


def test_what_is_not_metadata_is_refused_in_every_row(policies: Policies, shipped: dict[str, Row]) -> None:
    """Of every instrument of every pack; and the table is not one of a closed door."""
    assert len(shipped) == sum(len(pack.manifest.instruments) for pack in policies.packs.values())
    for row in shipped.values():
        assert {row.cells[column].outcome for column in NEVER} == {Outcome.REFUSED}
        assert not any(row.cells[column].how for column in NEVER)
    for column in set(Column) - set(NEVER):
        assert any(row.cells[column].how for row in shipped.values())


def test_a_cell_says_what_how_and_how_sure_that_is(shipped: dict[str, Row]) -> None:
    """A warrant reaches content in law, and that it is not held is another thing than that it is not reached."""
    warrant, order = shipped["us/search-warrant"].cells, shipped["us/d-order"].cells

    assert (warrant[Column.CONTENT].short, warrant[Column.CONTENT].ground) == ("refused: not held (C)", Ground.NOT_HELD)
    assert (order[Column.CONTENT].short, order[Column.TRAFFIC].short) == ("-", "yes: stored (S)")
    assert "us/us-d-order-traffic" in order[Column.TRAFFIC].policies
    assert shipped["uk/bulk-interception"].cells[Column.BULK].short == "refused: bulk (C)"
    assert shipped["au/technical-assistance-notice"].cells[Column.EXPORT].short == "yes: metadata-export (U)"


def test_a_row_that_is_unconfirmed_makes_its_cells_unconfirmed(policies: Policies, shipped: dict[str, Row]) -> None:
    """However well established the policy is that permits something under it."""
    for pack in policies.packs.values():
        for instrument in pack.manifest.instruments:
            cells = shipped[instrument.id].cells.values()
            if instrument.mark is Mark.UNCONFIRMED:
                assert {cell.mark for cell in cells if cell.how} <= {Mark.UNCONFIRMED}


def test_a_cell_is_what_the_most_favourable_use_gives(tmp_path: Path) -> None:
    """Nobody has to say for what offence, or for what purpose: the matrix tries what the policies look at."""
    (row,) = matrix(Policies.load([write_pack(tmp_path, THRESHOLD)]))

    assert row.cells[Column.TRAFFIC].short == "yes: stored (C)"
    assert row.cells[Column.ACCESS].short == "refused: out of reach (C)"


def test_markdown_has_a_line_for_each_row(tmp_path: Path) -> None:
    """With as many cells as its head, whatever a title has in it."""
    basis = {"legal_basis": "Act s.1 | s.2"}
    table = markdown(matrix(Policies.load([write_pack(tmp_path, PERMIT, instrument=basis)]))).splitlines()

    assert len(table) == 3
    assert "s.1 \\| s.2" in table[2]
    assert {line.replace("\\|", "").count("|") for line in table} == {len(Column) + 3}
