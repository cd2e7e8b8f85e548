"""The whole topic space. There is no other topic, and no wildcard.

| topic                                  | who publishes       | who subscribes |
|----------------------------------------|---------------------|----------------|
| `v1/to/<tenant>/<user>/<device>`       | senders             | nobody         |
| `v1/inbox/<tenant>/<user>/<device>`    | the relay           | that device    |
| `v1/rpc/<method>`                      | any admitted client | nobody         |
| `v1/reply/<client id>`                 | the relay           | that client    |
"""

from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.errors import Malformed

TO = "v1/to/"
INBOX = "v1/inbox/"
RPC = "v1/rpc/"
REPLY = "v1/reply/"

# The longest topic of the profile is v1/inbox/ with an address of 128 + 48 + 48 and two slashes; MQTT would allow 65,535.
MAX_TOPIC_LENGTH = 256


def to(device: DeviceAddress) -> str:
    """The topic that a sender publishes to."""
    return f"{TO}{device}"


def inbox(device: DeviceAddress) -> str:
    """The topic that the device itself subscribes to."""
    return f"{INBOX}{device}"


def rpc(method: str) -> str:
    """The topic of a request."""
    return f"{RPC}{method}"


def reply(client_id: str) -> str:
    """The topic of the answers to requests."""
    return f"{REPLY}{client_id}"


def recipient(topic: str) -> DeviceAddress:
    """The device behind a `v1/to/` or `v1/inbox/` topic; raise `Malformed` for any other topic."""
    for prefix in (TO, INBOX):
        if topic.startswith(prefix):
            return DeviceAddress.parse(topic[len(prefix) :])
    raise Malformed(f"topic {topic[:80]!r} is outside the profile: expected {TO}<tenant>/<user>/<device>")
