"""Topic filters by their form: [4.7.1-1], [4.7.1-2], [4.8.2-1], [4.8.2-2], decisions D4 and D5."""

import mqtt5
import pytest

from blindrelay.relay.mqtt.filters import check_available, is_malformed_filter, judge_filter
from blindrelay.relay.mqtt.walk import PacketRefused


@pytest.mark.parametrize(
    "pattern",
    [
        "a#",
        "#/a",
        "a/#/b",
        "a+",
        "+a",
        "a/b+/c",
        "$share",
        "$share/g",
        "$share//a",
        "$share/g/",
        "$share/+/a",
        "$share/g/a#",
    ],
)
def test_malformed_filter(pattern: str) -> None:
    """A wildcard that is not a whole level, `#` before the end [4.7.1-1], [4.7.1-2], `$share` without its parts.

    The latter: [4.8.2-1], [4.8.2-2].
    """
    assert is_malformed_filter(pattern)
    check_available(pattern)  # it is not "unavailable" but malformed, and SUBACK says so


@pytest.mark.parametrize("pattern", ["a", "/", "//", "a/", "$SYS/a", "$shared/x", " ", "inbox/2"])
def test_ordinary_filter(pattern: str) -> None:
    """Without wildcards, whatever it looks like: compared character by character by whoever is asked next [4.7.3-4]."""
    assert not is_malformed_filter(pattern)
    check_available(pattern)


@pytest.mark.parametrize("pattern", ["+", "#", "a/+/b", "a/#", "$share/g/a", "$share/g/a/#", "/#"])
def test_unavailable_filter(pattern: str) -> None:
    """Well-formed, and CONNACK said that there is no such thing here."""
    assert not is_malformed_filter(pattern)
    with pytest.raises(PacketRefused):
        check_available(pattern)


def test_options_are_judged() -> None:
    """QoS 0 would be loss (D4), No Local is outside the profile (D5), QoS 2 is granted as 1 [3.2.2-9]."""
    low, local, high = (
        mqtt5.TopicFilter("a", max_qos=mqtt5.QoS.AT_MOST_ONCE),
        mqtt5.TopicFilter("a", no_local=True),
        mqtt5.TopicFilter("a", max_qos=mqtt5.QoS.EXACTLY_ONCE),
    )
    assert [int(verdict[0]) for verdict in (judge_filter(low), judge_filter(local)) if verdict] == [0x83, 0x83]
    assert judge_filter(high) is None
