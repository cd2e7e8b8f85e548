"""The public surface."""

import blindrelay.clients as public


def test_the_list_is_sorted_and_true() -> None:
    """Every name of the list is there, once, in order."""
    assert public.__all__ == sorted(set(public.__all__))
    for name in public.__all__:
        assert getattr(public, name).__doc__, name
