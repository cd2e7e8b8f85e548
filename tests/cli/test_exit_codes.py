"""Every error that can reach a user has an exit code of its own meaning."""

import inspect
from importlib import import_module

import pytest

import blindrelay.relay.errors
from blindrelay.cli.exit_codes import BY_CLASS, MEANINGS, ExitCode, exit_code_of
from blindrelay.protocol.errors import BlindrelayError, Malformed, VerificationFailed


def test_every_code_has_a_meaning() -> None:
    """No exit code is unexplained."""
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize("name", BY_CLASS)
def test_every_class_in_the_table_exists(name: str) -> None:
    """A class that was renamed does not silently lose its exit code."""
    module, _, attribute = name.rpartition(".")
    assert inspect.isclass(getattr(import_module(module), attribute))


def test_relay_has_the_same_codes_as_its_own_process() -> None:
    """A supervisor sees the same number however the relay was started."""
    for kind in vars(blindrelay.relay.errors).values():
        if inspect.isclass(kind) and issubclass(kind, BlindrelayError) and hasattr(kind, "exit_status"):
            assert exit_code_of(kind("x")) == int(kind.exit_status)


def test_errors_outside_the_table_go_by_what_they_are() -> None:
    """Malformed input, failed checks, and anything else of ours."""
    assert exit_code_of(Malformed("x")) is ExitCode.MALFORMED
    assert exit_code_of(VerificationFailed("chain", "x")) is ExitCode.IDENTITY_REJECTED
    assert exit_code_of(BlindrelayError("x")) is ExitCode.FAILED
