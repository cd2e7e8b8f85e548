"""The reference page of the packs."""

from pathlib import Path

from blindrelay.policies.cells import Column
from blindrelay.policies.packs import Policies
from blindrelay.policies.page import render

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "policy-packs.md"


def test_the_page_is_what_the_packs_say(policies: Policies) -> None:
    """`python -m blindrelay.policies.page > docs/reference/policy-packs.md` after a change."""
    assert PAGE.read_text(encoding="utf-8") == render(policies)


def test_the_page_has_every_instrument_and_no_advice(policies: Policies) -> None:
    """Each with its legal basis, its mark, and a row of the matrix; each pack with what it simplifies."""
    page = PAGE.read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]

    for pack in policies.packs.values():
        assert pack.manifest.not_legal_advice in page
        assert all(text in page for text in pack.manifest.simplifies)
        for instrument in pack.manifest.instruments:
            found = [row for row in rows if row.startswith(f"| `{instrument.id}` ")]
            assert len(found) == 2
            assert all(instrument.legal_basis in row for row in found)
            assert found[1].count(" | ") == len(Column) + 1
