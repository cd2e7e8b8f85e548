"""What every room's tests share."""

import os
import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Carry out `@pytest.mark.needs("program")`: skip where the program is absent, but never on the CI, which installs it."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            # Debian keeps servers in sbin, which is not on everybody's path.
            if shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is None:
                if os.environ.get("CI"):
                    pytest.fail(f"{program} is not installed, and .ci/run should have done so", pytrace=False)
                pytest.skip(f"{program} is not installed")
