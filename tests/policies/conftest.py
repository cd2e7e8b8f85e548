"""What the tests of the policies share."""

import pytest

from blindrelay.policies.packs import Policies


@pytest.fixture(scope="session")
def policies() -> Policies:
    """The packs that are shipped."""
    return Policies.load()
