"""The topic space."""

import pytest

from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.errors import Malformed

PHONE = DeviceAddress("globex.example", "bob", "phone")


def test_a_device_has_one_topic_each_way() -> None:
    """Senders write to `v1/to/...`, the device reads `v1/inbox/...`, and both name the same device."""
    assert topics.to(PHONE) == "v1/to/globex.example/bob/phone"
    assert topics.inbox(PHONE) == "v1/inbox/globex.example/bob/phone"
    assert topics.recipient(topics.to(PHONE)) == topics.recipient(topics.inbox(PHONE)) == PHONE


@pytest.mark.parametrize(
    "topic",
    ["v1/to/+/bob/phone", "v1/to/#", "$share/g/v1/to/a.b/c/d", "v1/rpc/x", "v2/to/a.b/c/d", "", "v1/to/a.b/c/d/"],
)
def test_a_topic_outside_the_profile_names_no_device(topic: str) -> None:
    """Wildcards, shared subscriptions, other versions and trailing levels are outside the profile."""
    with pytest.raises(Malformed):
        topics.recipient(topic)


def test_the_longest_address_makes_a_topic_within_the_bound() -> None:
    """The bound on topics is not tighter than the bound on addresses."""
    tenant = ".".join(["a" * 31] * 4)
    longest = DeviceAddress(tenant, "u" * 48, "d" * 48)

    assert len(topics.inbox(longest)) <= topics.MAX_TOPIC_LENGTH
