"""What the inventory says of a field."""

from dataclasses import dataclass
from enum import StrEnum

from blindrelay.relay.config import Retention


class DataClass(StrEnum):
    """The classes of lawful access, and the two that no request can name."""

    SUBSCRIBER = "SUBSCRIBER"
    ACCESS = "ACCESS"
    TRAFFIC = "TRAFFIC"
    OPERATIONAL = "OPERATIONAL"  #: public keys, and the state of running connections
    CONTENT_SEALED = "CONTENT_SEALED"  #: a waiting envelope: counts as content, and the relay cannot open it


class Posture(StrEnum):
    """How a sender comes: with its certificate, or with nothing but a delivery token of the recipient's."""

    STANDARD = "standard"
    SEALED = "sealed"


class Presence(StrEnum):
    """What becomes of a field."""

    KEPT = "kept"
    SEEN = "seen"  #: passes through memory and is not written down
    ABSENT = "absent"  #: does not exist


class Place(StrEnum):
    """Where a field is; it decides what `Field.where` names."""

    DATABASE = "database"  #: `table.column`
    DESK = "desk"  #: `table.column` of the lawful desk's own database
    LOG = "log"  #: a key of a log line
    METRIC = "metric"  #: `metric`, or `metric{label}`
    SPAN = "span"  #: the name of a span, or `span{attribute}`
    WIRE = "wire"  #: a field of TCP, TLS, MQTT or HTTP that is not kept


class Lifetime(StrEnum):
    """When a field goes. `Retention` gives the windows."""

    TRAFFIC_WINDOW = "traffic window"
    ACCESS_WINDOW = "access window"
    ENROLMENT = "as long as the device is enrolled"
    UNTIL_DELIVERED = "until the recipient acknowledges it, or it expires (30 days at most)"
    UNTIL_REPLACED = "until the device replaces it or it is handed out"
    UNTIL_SESSION_ENDS = "until the session expires"
    UNTIL_ORDER_ENDS = "until the preservation order ends"
    UNTIL_TOLD = "until the desk has told of it, or the order ends; an hour when there is no desk any more"
    HOUR = "an hour or two after it is of no use any more"
    DAY = "a day"
    PERMANENT = "permanent"
    LOG_ROTATION = "the operator's log rotation"
    CONNECTION = "in memory, until the connection closes"
    COLLECTOR = "in memory; as long as the operator's collector keeps it"

    def text(self, retention: Retention) -> str:
        """For people, with the configured windows."""
        days = {Lifetime.TRAFFIC_WINDOW: retention.traffic_days, Lifetime.ACCESS_WINDOW: retention.access_days}.get(
            self
        )
        return self.value if days is None else f"{days} days"


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    `record` and `name` are for people, `where` is its name in `place`. `standard` and `sealed` say what becomes of it when
    the sender comes in that posture. `disclosable`: whether a lawful request can get it, which needs its class to be one of
    SUBSCRIBER, ACCESS and TRAFFIC.
    """

    record: str
    name: str
    place: Place
    where: str
    data_class: DataClass
    purpose: str
    granularity: str
    lifetime: Lifetime
    standard: Presence
    sealed: Presence
    disclosable: bool = False
    holder: str = "relay operator"

    def presence(self, posture: Posture) -> Presence:
        """What becomes of it in `posture`."""
        return self.standard if posture is Posture.STANDARD else self.sealed
