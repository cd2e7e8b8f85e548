"""What passed over a recorded connection, as MQTT 5 packets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import mqtt5

from blindrelay.proofs.evidence.folder import Connection
from blindrelay.protocol.errors import Malformed


class NotMqtt(Malformed):
    """Bytes that are no MQTT 5 packet."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A packet, and the bytes that it was on the wire."""

    packet: mqtt5.Packet
    raw: bytes


def packets(records: Iterable[bytes]) -> Iterator[Passed]:
    """The packets of one direction. What is cut off at the end is left out. Raises `NotMqtt`."""
    data = b"".join(records)
    position = 0
    with memoryview(data) as view:
        while position < len(data):
            try:
                packet, consumed = mqtt5.read(view[position:])
            except IndexError:
                return
            except BaseException as error:
                raise NotMqtt(f"byte {position}: {error}") from error
            yield Passed(packet, data[position : position + consumed])
            position += consumed


def publishes(connection: Connection) -> Iterator[mqtt5.PublishPacket]:
    """What was published in either direction; nothing for a connection that is not MQTT, or has bytes that are not."""
    if connection.service != "mqtt":
        return
    for records in (connection.tls.sent, connection.tls.answered):
        try:
            for passed in packets(records):
                if isinstance(passed.packet, mqtt5.PublishPacket):
                    yield passed.packet
        except NotMqtt:
            continue


def acknowledgements(connection: Connection) -> Iterator[bytes]:
    """The ids of envelopes that the relay has delivered on a connection and the client has acknowledged, packet by packet."""
    if connection.service != "mqtt":
        return
    try:
        acknowledged = {
            passed.packet.packet_id
            for passed in packets(connection.tls.sent)
            if isinstance(passed.packet, mqtt5.PubAckPacket)
        }
        for passed in packets(connection.tls.answered):
            packet = passed.packet
            if isinstance(packet, mqtt5.PublishPacket) and packet.packet_id in acknowledged and packet.correlation_data:
                yield packet.correlation_data
    except NotMqtt:
        return
