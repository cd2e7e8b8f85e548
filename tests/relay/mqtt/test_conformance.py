"""The table of statements, decisions and bug classes is complete and true."""

import re

import pytest

from support.conformance import PAGE, REASONS, identifiers, named


@pytest.mark.parametrize("identifier", identifiers())
def test_statement_has_a_test_or_a_reason(identifier: str) -> None:
    """A statement that no test names, and that has no reason for that, is a gap."""
    assert identifier in named() or identifier in REASONS


def test_page_has_every_statement_once() -> None:
    """The reference page lists what there is, in order."""
    rows = re.findall(r"^\| (\S+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert [row[0] for row in rows] == identifiers()


def test_page_claims_nothing_that_is_not_so() -> None:
    """A file that the page names for a statement names it; a reason is the one that is given."""
    for identifier, said in re.findall(r"^\| (\S+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE):
        if identifier in REASONS:
            assert said == REASONS[identifier]
        else:
            files = {f"tests/{file}" for file in re.findall(r"`([^`]+)`", said)}
            assert files
            assert files <= named()[identifier], identifier


def test_no_reason_is_left_over() -> None:
    """A reason for something that is not in the list hides a typing error."""
    assert set(REASONS) <= set(identifiers())
