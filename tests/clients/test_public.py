"""The public surface."""

import subprocess
import sys

import pytest

import blindrelay.clients as public


def test_the_list_is_sorted_and_true() -> None:
    """Every name of the list is there, once, in order."""
    assert public.__all__ == sorted(set(public.__all__))
    for name in public.__all__:
        assert getattr(public, name).__doc__, name


def test_what_is_not_on_the_list_is_not_there() -> None:
    """A misspelt name is an error, as of any module."""
    with pytest.raises(AttributeError, match="Devise"):
        _ = public.Devise  # type: ignore[attr-defined]


def test_a_part_that_decrypts_nothing_imports_nothing_that_could() -> None:
    """Importing the client package alone is not importing what decrypts."""
    program = (
        "import sys; sys.modules['vodozemac'] = None; import blindrelay.clients.tls, blindrelay.clients.enterprise.ca"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
