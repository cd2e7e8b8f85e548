"""A log's operator and a clock, for every test of a witness."""

import pytest

from support.party import HandClock
from support.witnessed import Operator


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def operator() -> Operator:
    return Operator()
