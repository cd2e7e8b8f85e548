"""What can be said of a topic filter before anybody asks whose topic it is."""

import mqtt5
from mqtt5 import DisconnectReasonCode, SubAckReasonCode

from blindrelay.relay.mqtt.walk import PacketRefused


def is_malformed_filter(pattern: str) -> bool:
    """Whether wildcards stand where none may [4.7.1-1], [4.7.1-2], or `$share` lacks its parts [4.8.2-1], [4.8.2-2]."""
    levels = pattern.split("/")
    if levels[0] == "$share":
        if len(levels) < 3 or not levels[1] or "+" in levels[1] or "#" in levels[1] or levels[2:] == [""]:
            return True
        levels = levels[2:]
    return any(len(level) > 1 and ("+" in level or "#" in level) for level in levels) or "#" in levels[:-1]


def check_available(pattern: str) -> None:
    """Raise `PacketRefused` for what CONNACK said is not available. Malformed filters pass: SUBACK says so."""
    if is_malformed_filter(pattern):
        return
    if pattern.startswith("$share/"):
        raise PacketRefused(
            DisconnectReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "shared subscriptions are outside the profile"
        )
    if "+" in pattern or "#" in pattern:
        raise PacketRefused(
            DisconnectReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "wildcards are outside the profile"
        )


def judge_filter(wanted: mqtt5.TopicFilter) -> tuple[SubAckReasonCode, str] | None:
    """What SUBACK says of a filter because of its form or options; None: go and ask whose topic it is."""
    if is_malformed_filter(wanted.pattern):
        return SubAckReasonCode.TOPIC_FILTER_INVALID, "a wildcard stands where none may"
    if wanted.max_qos == mqtt5.QoS.AT_MOST_ONCE:  # decision D4: it would be delivery without acknowledgement, so loss
        return SubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "subscribe with QoS 1"
    if wanted.no_local:  # decision D5
        return (
            SubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
            "No Local is outside the profile: one may write to oneself",
        )
    return None
