"""Cedar files are cut into policies, and each keeps its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.policies.sources import split

FORBID = 'forbid (principal, action == Action::"demand", resource is Bulk);'


def test_each_policy_has_the_line_it_begins_on() -> None:
    """Comments and blank lines belong to no policy."""
    text = f'// one; two\n\n{FORBID}\n// three\n@id("a")\n{FORBID}\n'

    assert [(found.line, found.text) for found in split(text, "f")] == [(3, FORBID), (5, f'@id("a")\n{FORBID}')]


@pytest.mark.parametrize("inside", ["a; b", "// no comment", r"a \" quote; and more", "permit(;);"])
def test_what_is_in_a_string_ends_nothing(inside: str) -> None:
    """A semicolon, a comment sign or a quote in a string is text."""
    text = f'@reason("{inside}")\n{FORBID}'

    assert [found.text for found in split(text, "f")] == [text]


def test_a_comment_within_a_policy_ends_nothing() -> None:
    """Only a semicolon that Cedar would see does."""
    text = '@id("a") // the first; of all "things\n' + FORBID

    assert len(list(split(text, "f"))) == 1


def test_what_follows_the_last_semicolon_is_not_lost() -> None:
    """It is no policy, and whoever reads the file has to be told."""
    assert [found.text for found in split(f"{FORBID}\npermit (", "f")] == [FORBID, "permit ("]


def test_a_string_that_never_ends_ends_with_the_file() -> None:
    """Nothing is read past the end."""
    assert [found.text for found in split('@id("a', "f")] == ['@id("a']


@given(blanks=st.lists(st.sampled_from(["", "\n", '// c; "\n', "  \n\n"]), min_size=1, max_size=6))
def test_what_stands_between_policies_changes_none_of_them(blanks: list[str]) -> None:
    """As many policies come out as went in, word for word, each at its line."""
    text = "".join(f"{blank}{FORBID}" for blank in blanks)
    found = list(split(text, "f"))

    assert [each.text for each in found] == [FORBID] * len(blanks)
    assert all(
        text.splitlines()[each.line - 1].endswith(FORBID) or FORBID in text.splitlines()[each.line - 1]
        for each in found
    )


def test_a_word_has_the_place_it_stands_at() -> None:
    """An error in the middle of a policy points at the middle."""
    found = next(split('@id("a")\nforbid (principal,\n action,\n resource is Content);', "f"))

    assert found.place_of("Content") == (4, 14)
    assert found.place_of("nothing of the kind") == (1, 1)
