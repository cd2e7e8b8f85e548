"""The words of lawful access, as types: four axes that are never mixed, and what can come of a demand.

The vocabulary follows ETSI TS 103 120 (V1.23.1) and the categories of Regulation (EU) 2023/1543, art. 3.
"""

from enum import StrEnum
from typing import Final


class DataClass(StrEnum):
    """What is asked for. The first three can exist at a relay; the last two can be asked for and cannot be given."""

    SUBSCRIBER = "SUBSCRIBER"  #: who is enrolled (Reg. 2023/1543 art. 3(9); 18 USC 2703(c)(2))
    ACCESS = "ACCESS"  #: connections of a device: hour, address, client version (art. 3(10), or 3(11), by purpose)
    TRAFFIC = "TRAFFIC"  #: that a message was accepted: from whom, for whom, when, how large (art. 3(11))
    CONTENT = "CONTENT"  #: what people wrote (art. 3(12)); a waiting envelope counts as content
    KEYS = "KEYS"  #: what would open it

    @property
    def is_metadata(self) -> bool:
        """Whether a disclosure package has a place for it."""
        return self in METADATA


METADATA: Final = frozenset({DataClass.SUBSCRIBER, DataClass.ACCESS, DataClass.TRAFFIC})


class Mode(StrEnum):
    """How: once from what is stored, kept from deletion, as it happens, or by building something."""

    STORED = "stored"
    PRESERVE = "preserve"
    STREAM = "stream"
    BUILD = "build"


class Scope(StrEnum):
    """About whom."""

    ACCOUNTS = "accounts"  #: named accounts
    TENANT = "tenant"  #: everybody of an enterprise
    ALL_USERS = "all-users"  #: everybody


class Urgency(StrEnum):
    """How soon. An emergency gets a shorter clock, a narrower grant and a stronger authentication, never more data."""

    ROUTINE = "routine"
    EMERGENCY = "emergency"


class Purpose(StrEnum):
    """What for. Reg. 2023/1543 art. 3(10) makes data that only identify a user a category of their own."""

    IDENTIFY = "identify"
    INVESTIGATE = "investigate"


class Capability(StrEnum):
    """What a demand in mode `build` wants built."""

    KEY_ESCROW = "key-escrow"
    GHOST_DEVICE = "ghost-device"
    WEAKENED_CRYPTOGRAPHY = "weakened-cryptography"
    BACKDOORED_UPDATE = "backdoored-update"
    TRACEABILITY = "traceability"  #: tag every message, so that a first originator can be named
    MASS_MONITORING = "mass-monitoring"
    DECRYPTION = "decryption"
    METADATA_EXPORT = "metadata-export"  #: use of an export that exists and weakens nothing


class ServiceAction(StrEnum):
    """What a demand about the service itself wants. It is never traded for data."""

    SUSPEND = "suspend"
    EXTEND = "extend"  #: move the date of a suspension that has been announced
    RESCIND = "rescind"
    RESUME = "resume"


class AuthorityKind(StrEnum):
    """What an issuing authority is, as far as a statute distinguishes."""

    JUDGE = "judge"  #: a judge, court or investigating judge
    PROSECUTOR = "prosecutor"
    GRAND_JURY = "grand-jury"
    POLICE = "police"  #: an investigating authority without judicial function
    AGENCY = "agency"  #: an intelligence or administrative agency
    MINISTER = "minister"  #: a minister, home secretary, attorney-general
    MINISTER_WITH_COMMISSIONER = "minister-with-commissioner"  #: the double lock of the UK Act of 2016
    INDEPENDENT_BODY = "independent-body"  #: an authorising office independent of the investigation
    REGULATOR = "regulator"
    CENTRAL_AUTHORITY = "central-authority"  #: for mutual legal assistance
    LITIGANT = "litigant"  #: no authority at all


class Outcome(StrEnum):
    """What comes of a demand, or of one data class of it."""

    GRANTED = "granted"
    NARROWED = "narrowed"  #: granted, with window, targets or classes cut to what the instrument carries
    PRESERVED = "preserved"  #: kept from deletion, nothing disclosed
    REFUSED = "refused"
    REDIRECTED = "redirected"  #: to the enterprise that holds the keys, or to the mutual-assistance route
    HELD = "held"  #: nothing leaves until somebody has done something that the reasons name
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    FRAUD_SUSPECTED = "fraud-suspected"

    @property
    def discloses(self) -> bool:
        """Whether data may leave after this."""
        return self in {Outcome.GRANTED, Outcome.NARROWED}


class Ground(StrEnum):
    """Why not, or why not all."""

    NOT_HELD = "not-held"  #: the instrument may reach it, and the relay does not have it (ETSI DisclosureNotAvailable)
    OUT_OF_REACH = "out-of-reach"  #: the instrument does not reach it
    WRONG_AUTHORITY = "wrong-authority"  #: this kind of authority may not issue this instrument for this class
    BULK = "bulk"
    CAPABILITY = "capability"
    EXPIRED = "expired"
    CONFLICT = "conflict"  #: another country's statute forbids it
    NO_JURISDICTION = "no-jurisdiction"
    UNAUTHENTICATED = "unauthenticated"
    UNKNOWN_TARGET = "unknown-target"  #: said to the authority as NOT_HELD: existence is subscriber data, too
    CONTROLLER_FIRST = "controller-first"  #: the enterprise is the controller: it is to be asked first
    NOT_APPROVED = "not-approved"  #: a person's approval is missing
    AWAITING_NOTIFICATION = "awaiting-notification"  #: the enforcing authority may still object (art. 8, 10(2))
    OBJECTED = "objected"
    FRAUD_SIGNAL = "fraud-signal"
    UNDECIDABLE = "undecidable"  #: the evaluation failed; what cannot be decided is refused


class EventKind(StrEnum):
    """What can happen to a case after the request has come."""

    OBJECTION = "objection"  #: an enforcing authority objects
    CLEARANCE = "clearance"  #: it says that it will not
    APPROVAL = "approval"  #: a person of ours approves
    CALL_BACK_CONFIRMED = "call-back-confirmed"
    CALL_BACK_DENIED = "call-back-denied"
    CONFIRMATION = "confirmation"  #: the agency confirms that an order on our list is genuine
    NOT_CONFIRMED = "not-confirmed"
    FOLLOW_UP = "follow-up"  #: the process that was owed after an emergency has come
    RENEWAL = "renewal"
    WITHDRAWAL = "withdrawal"


class Mark(StrEnum):
    """How well a legal fact is established. A decision that rests on an unconfirmed one says so."""

    CONFIRMED = "C"  #: the statute's or schema's own text was read
    SECONDARY = "S"  #: from a secondary source
    UNCONFIRMED = "U"  #: general knowledge


class CaseState(StrEnum):
    """Where a case stands: `received -> authenticated -> decided -> fulfilled | refused | redirected -> closed`."""

    RECEIVED = "received"
    AUTHENTICATED = "authenticated"
    DECIDED = "decided"
    FULFILLED = "fulfilled"
    REFUSED = "refused"
    REDIRECTED = "redirected"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class TaskStatus(StrEnum):
    """What a demand's task is called towards the authority: the values of TS 103 120's LDTaskStatus and LPTaskStatus."""

    AWAITING_APPROVAL = "AwaitingApproval"
    AWAITING_DISCLOSURE = "AwaitingDisclosure"
    DISCLOSED = "Disclosed"
    DISCLOSURE_NOT_AVAILABLE = "DisclosureNotAvailable"
    PRESERVED = "Preserved"
    ACTIVE = "Active"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"
    INVALID = "Invalid"
