"""What a real-time order delivers besides records: where a record stands, what is missing, and that it is over.

Closed like the records themselves (`blindrelay.policies.records`): a reader of a stream learns nothing but identifiers, times
and enumerations.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import StringConstraints

from blindrelay.policies.records import AccessRecord, Record, TrafficRecord
from blindrelay.policies.vocabulary import DataClass

#: Where a reader stands. It is opaque: give back the last one that came (as `Last-Event-ID`) to go on behind it.
Position = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}(-[0-9]{1,19}){3}$")]


class GapReason(StrEnum):
    """Why something may be missing at this place."""

    RETENTION = "retention"  #: the reader was away for so long that records have been deleted in between
    #: The relay did not watch then: it was started anew, or was given the order after the order's own start.
    NOT_WATCHED = "not-watched"
    OVERFLOW = "overflow"  #: more connections than are kept for a reader who is away


class Gap(Record):
    """At this place of the stream records of `data_class` may be missing. There is no loss without one."""

    record: Literal["gap"] = "gap"
    data_class: DataClass
    reason: GapReason


class EndReason(StrEnum):
    """Why nothing more will come."""

    ORDER_ENDED = "order-ended"  #: everything up to the end of the order has been delivered
    ENDED_EARLY = "ended-early"  #: the order was withdrawn or objected to
    REPLACED = "replaced"  #: another reader of the same order has come: an order has one
    STOPPING = "stopping"  #: the relay stops; come back with the last position


class StreamEnd(Record):
    """The last thing that a reader is told."""

    record: Literal["end"] = "end"
    reason: EndReason


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One line of a stream. `position`: see `Position`; it stands behind this line."""

    position: str
    record: TrafficRecord | AccessRecord | Gap | StreamEnd
