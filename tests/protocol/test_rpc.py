"""The list of methods."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blindrelay.protocol import rpc


def test_every_method_is_listed_under_its_name() -> None:
    """The table that the relay answers from holds each method of the module once."""
    declared = {value for value in vars(rpc).values() if isinstance(value, rpc.Method)}

    assert set(rpc.METHODS.values()) == declared
    assert all(name == method.name for name, method in rpc.METHODS.items())


@pytest.mark.parametrize("method", rpc.METHODS.values(), ids=lambda method: method.name)
@given(
    payload=st.one_of(st.binary(max_size=200), st.just(b"{}"), st.just(b"[]"), st.just(b"null"), st.just(b'{"x":1}'))
)
def test_a_request_parses_or_is_refused(method: rpc.Method[Any, Any], payload: bytes) -> None:
    """No bytes make the parser fail in any other way than a validation error."""
    with contextlib.suppress(ValidationError):
        assert isinstance(method.request.model_validate_json(payload), method.request)
