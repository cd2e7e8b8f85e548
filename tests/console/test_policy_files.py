"""The policy that decided, in its file."""

import pytest

from blindrelay.console.policy_files import NoSuchPolicy, show
from blindrelay.policies.packs import Policies


def test_every_policy_is_found_where_a_decision_says() -> None:
    """From its first annotation to its semicolon, and nothing of the next one."""
    found = 0
    for pack in Policies.load().packs.values():
        for instrument in pack.manifest.instruments:
            shown = show(pack.location(instrument.id))
            text = "\n".join(shown.lines[shown.first - 1 : shown.last])
            assert instrument.id in text
            assert text.count("- id: ") == 1
            found += 1
    assert found > 20


def test_cedar_policy_is_shown_whole() -> None:
    """A line in the middle of its annotations leads to the same policy as its first."""
    first, middle = show("packs/us/stored.cedar:4"), show("packs/us/stored.cedar:6")
    assert (first.first, first.last) == (middle.first, middle.last)
    text = first.lines[first.first - 1 : first.last]
    assert text[0].startswith("@id(")
    assert text[-1] == "};"
    assert sum(line.startswith("@id(") for line in text) == 1


@pytest.mark.parametrize(
    "location",
    ["", "packs/us/stored.cedar", "packs/us/stored.cedar:0", "packs/us/stored.cedar:99999", "packs/us/stored.cedar:-1",
     "packs/../engine.py:1", "/etc/passwd:1", "packs/us/scenarios/us-subpoena.scenario.yaml:1"],
)  # fmt: skip
def test_nothing_else_is_shown(location: str) -> None:
    """No other file of the machine, and no line that is not there."""
    with pytest.raises(NoSuchPolicy):
        show(location)
