"""The fields themselves. To keep something new, it must be written down here first, with its reason."""

from collections.abc import Iterator
from typing import Final

from blindrelay.relay.inventory.metrics import METRICS, Metric
from blindrelay.relay.inventory.model import DataClass, Field, Lifetime, Place, Presence
from blindrelay.relay.inventory.spans import RESOURCE, SPANS, Span

_KEPT, _SEEN, _ABSENT = Presence.KEPT, Presence.SEEN, Presence.ABSENT


def _subscriber(where: str, name: str, purpose: str, granularity: str, *, disclosable: bool = True) -> Field:
    return Field(
        "SubscriberRecord", name, Place.DATABASE, where, DataClass.SUBSCRIBER, purpose, granularity,
        Lifetime.PERMANENT, _KEPT, _KEPT, disclosable,
    )  # fmt: skip


def _access(where: str, name: str, purpose: str, granularity: str) -> Field:
    return Field(
        "AccessRecord", name, Place.DATABASE, where, DataClass.ACCESS, purpose, granularity,
        Lifetime.ACCESS_WINDOW, _KEPT, _ABSENT, True,
    )  # fmt: skip


def _traffic(where: str, name: str, purpose: str, granularity: str, sealed: Presence = _KEPT) -> Field:
    return Field(
        "TrafficRecord", name, Place.DATABASE, where, DataClass.TRAFFIC, purpose, granularity,
        Lifetime.TRAFFIC_WINDOW, _KEPT, sealed, True,
    )  # fmt: skip


def _recent(where: str, name: str, granularity: str) -> Field:
    return Field(
        "RecentId", name, Place.DATABASE, f"recent_id.{where}", DataClass.TRAFFIC,
        "recognise a sender's retry, so that nothing is delivered twice; a copy of the newest traffic records",
        granularity, Lifetime.TRAFFIC_WINDOW, _KEPT, _KEPT,
    )  # fmt: skip


def _directory(where: str, name: str, purpose: str, lifetime: Lifetime = Lifetime.ENROLMENT) -> Field:
    return Field(
        "DirectoryEntry", name, Place.DATABASE, where, DataClass.OPERATIONAL, purpose, "exact",
        lifetime, _KEPT, _KEPT,
    )  # fmt: skip


def _departed(where: str, name: str, purpose: str, granularity: str = "exact") -> Field:
    return Field(
        "Departed", name, Place.DATABASE, f"departed.{where}", DataClass.OPERATIONAL, purpose, granularity,
        Lifetime.PERMANENT, _KEPT, _KEPT,
    )  # fmt: skip


def _session(where: str, name: str, granularity: str) -> Field:
    return Field(
        "Session", name, Place.DATABASE, f"session.{where}", DataClass.OPERATIONAL,
        "resume an MQTT session after a reconnect or a restart", granularity,
        Lifetime.UNTIL_SESSION_ENDS, _KEPT, _ABSENT,
    )  # fmt: skip


def _envelope(where: str, name: str, purpose: str, granularity: str) -> Field:
    return Field(
        "Envelope", name, Place.DATABASE, f"envelope.{where}", DataClass.CONTENT_SEALED, purpose, granularity,
        Lifetime.UNTIL_DELIVERED, _KEPT, _KEPT,
    )  # fmt: skip


def _schema(where: str, name: str, purpose: str) -> Field:
    return Field(
        "Schema", name, Place.DATABASE, where, DataClass.OPERATIONAL, purpose, "exact",
        Lifetime.PERMANENT, _KEPT, _KEPT,
    )  # fmt: skip


def _mailbox(where: str, name: str, purpose: str, granularity: str) -> Field:
    return Field(
        "Mailbox", name, Place.DATABASE, f"mailbox.{where}", DataClass.OPERATIONAL, purpose, granularity,
        Lifetime.ENROLMENT, _KEPT, _KEPT,
    )  # fmt: skip


def _presence(where: str, name: str, purpose: str, granularity: str = "exact") -> Field:
    return Field(
        "Presence", name, Place.DATABASE, f"presence.{where}", DataClass.OPERATIONAL, purpose, granularity,
        Lifetime.ENROLMENT, _KEPT, _ABSENT,
    )  # fmt: skip


def _cluster(where: str, name: str, purpose: str, lifetime: Lifetime, granularity: str = "exact") -> Field:
    return Field(
        "Cluster", name, Place.DATABASE, where, DataClass.OPERATIONAL, purpose, granularity, lifetime, _KEPT, _KEPT
    )  # fmt: skip


def _watch(where: str, name: str, purpose: str, granularity: str = "exact") -> Field:
    return Field(
        "Watch", name, Place.DATABASE, where, DataClass.ACCESS, f"{purpose}; there is none without a real-time order",
        granularity, Lifetime.UNTIL_TOLD, _KEPT, _ABSENT,
    )  # fmt: skip


def _notice(where: str, name: str, purpose: str, granularity: str = "exact") -> Field:
    record = "NoticeSeen" if where.startswith("notice_seen.") else "Notice"
    return Field(
        record, name, Place.DATABASE, where, DataClass.OPERATIONAL, purpose, granularity,
        Lifetime.ENROLMENT, _KEPT, _KEPT,
    )  # fmt: skip


def _service(where: str, name: str, granularity: str = "exact") -> Field:
    return Field(
        "ServiceState", name, Place.DATABASE, f"service_change.{where}", DataClass.OPERATIONAL,
        "know where the service is suspended, and who wanted it", granularity, Lifetime.PERMANENT, _KEPT, _KEPT,
    )  # fmt: skip


def _preservation(where: str, name: str, purpose: str, granularity: str = "exact") -> Field:
    return Field(
        "Preservation", name, Place.DATABASE, where, DataClass.OPERATIONAL, purpose, granularity,
        Lifetime.UNTIL_ORDER_ENDS, _KEPT, _KEPT,
    )  # fmt: skip


def _log(where: str, purpose: str, granularity: str = "exact") -> Field:
    return Field(
        "Log", where, Place.LOG, where, DataClass.OPERATIONAL, purpose, granularity,
        Lifetime.LOG_ROTATION, _KEPT, _KEPT,
    )  # fmt: skip


def _wire(name: str, data_class: DataClass, purpose: str, sealed: Presence = _SEEN) -> Field:
    return Field(
        "Wire", name, Place.WIRE, name, data_class, purpose, "exact", Lifetime.CONNECTION, _SEEN, sealed
    )  # fmt: skip


def _desk(where: str, name: str, purpose: str, granularity: str, lifetime: Lifetime = Lifetime.PERMANENT) -> Field:
    record = {"case_event": "CaseFile", "log_entry": "CaseLog", "log_opening": "CaseLog", "seen_call": "SeenCall"}[
        where.partition(".")[0]
    ]
    return Field(
        record, name, Place.DESK, where, DataClass.OPERATIONAL, purpose, granularity, lifetime, _KEPT, _KEPT
    )  # fmt: skip


def _https(name: str, purpose: str) -> Field:
    return Field(
        "Https", name, Place.WIRE, name, DataClass.OPERATIONAL, purpose, "exact", Lifetime.CONNECTION, _SEEN, _SEEN
    )  # fmt: skip


def _metric(metric: Metric) -> Iterator[Field]:
    for label in ("", *metric.labels):
        yield Field(
            "Metric", f"label {label}" if label else metric.purpose, Place.METRIC,
            f"{metric.name}{{{label}}}" if label else metric.name, DataClass.OPERATIONAL,
            "tell them apart" if label else "see how the relay does",
            "one of a list" if label else "all together", Lifetime.COLLECTOR, _SEEN, _SEEN,
        )  # fmt: skip


def _span(where: str, name: str, purpose: str, granularity: str) -> Field:
    return Field(
        "Span", name, Place.SPAN, where, DataClass.OPERATIONAL, purpose, granularity, Lifetime.COLLECTOR, _SEEN, _SEEN
    )  # fmt: skip


def _spans(span: Span) -> Iterator[Field]:
    yield _span(span.name, f"that there was a {span.name}", span.purpose, "start and end to the microsecond")
    for attribute, values in span.attributes.items():
        granularity = "number" if values is None else "one of a list"
        yield _span(f"{span.name}{{{attribute}}}", attribute, "tell what took long", granularity)


FIELDS: Final[tuple[Field, ...]] = (
    _subscriber("tenant.name", "tenant", "whose root certificate counts for whom", "exact"),
    _subscriber("tenant.registered_day", "tenant registered", "tell how long a tenant has been here", "day"),
    _subscriber(
        "tenant.jurisdiction", "jurisdiction", "whose authorities may ask, and where the service stands", "country"
    ),
    _subscriber("device.account_id", "account number", "name the device in the other records", "exact"),
    _subscriber("device.tenant", "tenant of the device", "address", "exact"),
    _subscriber("device.user", "user", "address", "exact"),
    _subscriber("device.device", "device", "address", "exact"),
    _subscriber("device.registered_day", "first seen", "tell how long a device has been here", "day"),
    _subscriber("device.last_seen_day", "last seen", "find devices that nobody uses", "day, shifted for each account"),
    _access("access.id", "record number", "order", "exact"),
    _access("access.account_id", "account", "whose connection", "exact"),
    _access("access.opened_hour", "connection start", "find abuse of an account", "hour"),
    _access("access.closed_hour", "connection end", "find abuse of an account", "hour"),
    _access("access.address", "IP address", "find abuse of an account", "exact"),
    _access("access.client_version", "client version", "find clients that need an update", "exact"),
    _traffic("traffic.id", "record number", "order", "exact"),
    _traffic("traffic.message_id", "message id", "settle whether a message was accepted", "random, 16 bytes"),
    _traffic("traffic.sender_id", "sender's account", "settle who sent it; limits", "exact", _ABSENT),
    _traffic("traffic.recipient_id", "recipient's account", "deliver", "exact"),
    _traffic("traffic.accepted_at", "time of acceptance", "settle when a message was accepted", "second"),
    _traffic("traffic.size", "padded size", "quota", "padding bucket"),
    _recent("owner", "sender's account; when sealed, the recipient's", "exact"),
    _recent("slot", "place in the ring", "exact"),
    _recent("message_id", "message id", "random, 16 bytes"),
    _recent("recipient", "recipient's account", "exact"),
    _recent("size", "padded size", "padding bucket"),
    _recent("checksum", "CRC-32 of the envelope and running number", "exact"),
    _recent("accepted_at", "time of acceptance", "second"),
    _directory("tenant.root", "tenant's root certificate", "check the tenant's devices", Lifetime.PERMANENT),
    _directory("tenant.log_index", "place of the root in the public log", "prove that it is in it", Lifetime.PERMANENT),
    _directory("device.certificate", "device certificate", "hand it to those who write to the device"),
    _directory("device.statement", "device statement", "hand the device's public keys to those who write to it"),
    _directory("device.statement_signature", "its signature", "let clients check the statement"),
    _directory("device.statement_sequence", "its sequence", "refuse older statements"),
    _directory("device.log_index", "place of the statement in the public log", "prove that it is in it"),
    _directory("directory_entry.number", "place in the public log", "order", Lifetime.PERMANENT),
    _directory(
        "directory_entry.body",
        "entry of the public log",
        "show everybody the same directory: a tenant, a label of an account, digests of what was signed",
        Lifetime.PERMANENT,
    ),
    _directory("prekey.id", "prekey number", "order", Lifetime.UNTIL_REPLACED),
    _directory("prekey.account_id", "prekey's account", "whose prekey", Lifetime.UNTIL_REPLACED),
    _directory(
        "prekey.is_fallback", "whether it is the fallback key", "hand out one-time keys first", Lifetime.UNTIL_REPLACED
    ),
    _directory("prekey.body", "prekey", "begin an encrypted session with the device", Lifetime.UNTIL_REPLACED),
    _directory("prekey.signature", "prekey's signature", "let clients check the prekey", Lifetime.UNTIL_REPLACED),
    _directory("revocation.fingerprint", "revoked certificate", "keep it out", Lifetime.PERMANENT),
    _directory("revocation.account_id", "revoked account", "whose certificate it was", Lifetime.PERMANENT),
    _directory("revocation.body", "revocation", "show why it is out", Lifetime.PERMANENT),
    _directory("revocation.signature", "its signature", "show that the tenant itself wanted it", Lifetime.PERMANENT),
    _departed("name", "tenant that has left", "give its name to nobody else"),
    _departed("root", "SHA-256 of its root certificate", "say who it was that had the name"),
    _departed("left_day", "day on which it left", "say since when nothing is taken for it", "day"),
    _session("account_id", "account", "exact"),
    _session("client_id", "MQTT client id (the device's address)", "exact"),
    _session("expiry", "session expiry interval", "exact"),
    _session("ended_at", "end of the last connection", "second"),
    _session("subscriptions", "subscriptions (the device's own topics)", "exact"),
    _envelope("mailbox_id", "recipient's account", "deliver", "exact"),
    _envelope("sequence", "place in the mailbox", "deliver in order", "exact"),
    _envelope("message_id", "message id", "hand it on to the recipient", "random, 16 bytes"),
    _envelope("accepted_at", "time of acceptance", "deliver in time", "second"),
    _envelope("expires_at", "expiry", "delete it in time", "second"),
    _envelope("size", "padded size", "quota", "padding bucket"),
    _envelope("filler", "zeros", "lay the envelope out so that it can be erased", "constant"),
    _envelope("payload", "sealed envelope", "deliver; only the recipient's device can open it", "padding bucket"),
    _schema("alembic_version.version_num", "revision", "know which release's tables these are"),
    _mailbox("account_id", "owner of the mailbox", "whose mailbox", "exact"),
    _mailbox("last_sequence", "last place given", "give places in order, whichever node takes an envelope", "exact"),
    _mailbox("waiting", "envelopes that wait at most", "quota", "an upper bound"),
    _mailbox("waiting_size", "their padded size at most", "quota", "an upper bound"),
    _mailbox("counted_at", "when the two were exact", "count no more often than need be", "second"),
    _mailbox("closed", "whether the owner is revoked or has left", "take no mail for it", "yes or no"),
    _presence("account_id", "device in the cluster", "whose presence"),
    _presence("reader", "node that it reads its mailbox at", "wake the node that a message is for"),
    _presence("session_node", "node that has its session", "one connection over all nodes"),
    _presence("epoch", "how often its session has been taken", "let no late write of another node count"),
    _presence("sent_up_to", "what its last session was sent", "say which messages come again"),
    _cluster("node.id", "number of a node's start", "tell who is alive", Lifetime.HOUR),
    _cluster("node.name", "node's name", "have one of each name", Lifetime.HOUR),
    _cluster("node.started_at", "start of the node", "show it to the operator", Lifetime.HOUR, "second"),
    _cluster("node.followed", "what the node acts by", "answer when all nodes act by a change", Lifetime.HOUR),
    _cluster("node.address", "where clients reach the node", "send them there when another one stops", Lifetime.HOUR),
    _cluster("change.number", "number of a change", "order", Lifetime.HOUR),
    _cluster("change.kind", "kind of the change", "refresh what every node keeps in memory", Lifetime.HOUR),
    _cluster(
        "change.key",
        "what has changed: a tenant, also one that has left, a device's account, a certificate's fingerprint, "
        "a notice's or service change's number",
        "refresh what every node keeps in memory",
        Lifetime.HOUR,
    ),
    _cluster("change.noted_at", "time of the change", "forget it", Lifetime.HOUR, "second"),
    _cluster("charge.tenant", "tenant that sends a lot", "its limit over all nodes", Lifetime.HOUR),
    _cluster("charge.node", "node that it sends through", "its limit over all nodes", Lifetime.HOUR),
    _cluster("charge.count", "messages through that node since it started", "its limit over all nodes", Lifetime.HOUR),
    _cluster(
        "last_commit.writer", "connection of a node to the database, a number of chance", "find its row", Lifetime.HOUR
    ),
    _cluster("last_commit.number", "its last transaction", "know whether that was committed", Lifetime.HOUR),
    _cluster("last_commit.written_at", "time of the transaction", "forget it", Lifetime.HOUR, "second"),
    _watch("connection_watch.key", "case and demand of a real-time order", "end it"),
    _watch("connection_watch.tenant", "tenant of who is watched", "tell of connections to whichever node"),
    _watch("connection_watch.user", "user who is watched", "tell of connections to whichever node"),
    _watch("connection_watch.device", "device that is watched", "tell of connections to whichever node"),
    _watch("connection_watch.since", "start of the order", "tell of nothing that came before", "second"),
    _watch("connection_watch.until", "end of the order", "tell of nothing that comes after", "second"),
    _watch("connection_event.number", "number of an event", "order"),
    _watch("connection_event.access_id", "connection of who is watched", "tell of it"),
    _watch(
        "connection_event.at",
        "start or end of a connection under a real-time order",
        "tell of what is in the order, and not before or after",
        "second",
    ),
    _watch("connection_event.is_end", "whether it ended", "tell of it", "yes or no"),
    _cluster("log_tile.log", "public log of a tile", "show it", Lifetime.PERMANENT),
    _cluster("log_tile.level", "level of the tile", "show it", Lifetime.PERMANENT),
    _cluster("log_tile.number", "place of the tile", "show it", Lifetime.PERMANENT),
    _cluster("log_tile.data", "hashes of a public log", "prove what is in it", Lifetime.PERMANENT),
    _cluster("log_head.log", "public log of a checkpoint", "show it", Lifetime.PERMANENT),
    _cluster("log_head.size", "entries of the log that are published", "publish none twice", Lifetime.PERMANENT),
    _cluster("log_head.note", "its signed checkpoint", "show everybody the same", Lifetime.PERMANENT),
    _notice("notice.id", "notice number", "order"),
    _notice("notice.key", "case and demand, or change of the service", "give a notice once"),
    _notice("notice.tenant", "tenant of the user", "whom it is for"),
    _notice("notice.user", "user", "whom it is for"),
    _notice("notice.jurisdiction", "jurisdiction of the notice", "whom it is for"),
    _notice("notice.issued_at", "time of issue", "tell the new ones from the old", "second"),
    _notice("notice.body", "notice", "tell users what was disclosed about them, and where the service is suspended"),
    _notice("notice.signature", "signature of the notice", "let clients check the notice"),
    _notice("notice_seen.account_id", "account that has it", "give a notice to each device once"),
    _notice("notice_seen.notice_id", "notice that it has", "give a notice to each device once"),
    _service("id", "change number"),
    _service("key", "order behind it"),
    _service("jurisdiction", "jurisdiction", "country"),
    _service("action", "what was done"),
    _service("state", "state since then"),
    _service("effective_at", "date of a suspension that was announced", "second"),
    _service("changed_at", "time of the change", "second"),
    _service("made_by", "authority or operator"),
    _service("note", "operator's note"),
    _preservation("preservation.key", "case and demand of the order", "end and prolong it"),
    _preservation("preservation.since", "start of the preserved window", "keep what the order names", "second"),
    _preservation("preservation.until", "end of the preserved window", "keep nothing else", "second"),
    _preservation("preservation.ends_at", "end of the order", "delete what was kept", "second"),
    _preservation("preservation.tell_from", "from when on users may be told", "tell them then", "second"),
    _preservation("preservation.access_up_to", "last preserved connection", "keep nothing that came later"),
    _preservation("preservation.traffic_up_to", "last preserved traffic record", "keep nothing that came later"),
    _preservation("preserved_account.account_id", "preserved account", "whose records the order keeps"),
    _preservation("preserved_account.key", "case and demand of the preserved account", "which order it is"),
    _desk("case_event.id", "row number", "order", "exact"),
    _desk("case_event.case_id", "case", "which case, or the register, or the door", "exact"),
    _desk("case_event.sequence", "number within the case", "order", "exact"),
    _desk("case_event.authority_id", "authority", "whose case; another authority does not see it", "exact"),
    _desk("case_event.at", "when", "what was done, and in time", "microsecond"),
    _desk("case_event.step", "which step", "what was done", "one of a list"),
    _desk(
        "case_event.body",
        "the step: a request as it was signed, a decision with its reasons, who approved, what was handed over",
        "answer for what was disclosed; decide again; report",
        "exact",
    ),
    _desk("case_event.once", "what may happen once", "open no case twice, serve no signed fetch twice", "exact"),
    _desk("case_event.previous", "digest of the row before", "notice a file that was altered", "SHA-256"),
    _desk("case_event.digest", "digest of the row", "notice a file that was altered", "SHA-256"),
    _desk("log_entry.number", "place in the public log of requests", "order", "exact"),
    _desk("log_entry.body", "entry of the public log of requests", "let everybody count what was disclosed", "public"),
    _desk("log_opening.number", "which commitment of the public log", "open it to the authority", "exact"),
    _desk("log_opening.case_id", "case of a commitment", "know whose it is", "exact"),
    _desk("log_opening.sequence", "row of a commitment", "know what it says", "exact"),
    _desk("log_opening.salt", "salt of a commitment", "keep it closed to others", "random, 32 bytes"),
    _desk("log_opening.told_at", "where it was told of", "tell once", "exact"),
    _desk("seen_call.authority_id", "authority that called", "whose call", "exact", Lifetime.DAY),
    _desk(
        "seen_call.call_id", "number of the call", "refuse a call that has been made", "random, 16 bytes", Lifetime.DAY
    ),
    _desk("seen_call.seen_at", "time of the call", "forget it in time", "second", Lifetime.DAY),
    _log("event", "what happened", "a fixed sentence"),
    _log("level", "how bad it is"),
    _log("timestamp", "when it happened", "second"),
    _log("error", "the kind of a failure", "name of the exception; its text at debug level alone"),
    _log("place", "where in our code a failure arose", "module and line"),
    _log("method", "which kind of request failed", "one of the protocol's methods"),
    _log("version", "which release is running"),
    _log("listening", "the relay's own address"),
    _log("log", "which public log could not be published"),
    _log("witness", "which witness does not cosign"),
    _log("directory", "the relay's own data directory"),
    _log("reason", "why the relay stops, refuses to start, or cannot use NATS", "a fixed sentence"),
    _log("seconds", "how long something took"),
    _log("state", "where the service in a jurisdiction stands now", "a fixed word"),
    _log("count", "how many", "number"),
    _log("traffic", "how many traffic records retention deleted", "number"),
    _log("access", "how many access records retention deleted", "number"),
    _log("recent_ids", "how many recent ids retention deleted", "number"),
    _wire(
        "IP address and port of the peer, or of whom a balancer names",
        DataClass.ACCESS,
        "answer; limit connections of one address",
    ),
    _wire("time of every packet", DataClass.TRAFFIC, "keep-alive and rate limits"),
    _wire("TLS client hello (versions, ciphers, key shares)", DataClass.ACCESS, "TLS 1.3"),
    _wire("TLS client certificate", DataClass.SUBSCRIBER, "authenticate; kept as directory entry", _ABSENT),
    _wire("MQTT user name and password", DataClass.OPERATIONAL, "check a delivery token of the named recipient's"),
    _wire("MQTT client id", DataClass.ACCESS, "must be the device's address; empty when sealed"),
    _wire("CONNECT: clean start, keep alive, session expiry, maxima", DataClass.OPERATIONAL, "run the session"),
    _wire("CONNECT: user properties", DataClass.ACCESS, "client-version is kept, the others are not looked at"),
    _wire("PUBLISH: topic, packet id, DUP, expiry interval", DataClass.TRAFFIC, "deliver"),
    _wire("SUBSCRIBE: filters, options", DataClass.OPERATIONAL, "must be the client's own topics"),
    _wire("requests: method, parameters (whose keys are looked up)", DataClass.TRAFFIC, "answer; not written down"),
    _wire("DISCONNECT: reason", DataClass.OPERATIONAL, "end the session"),
    _https("IP address and port of who calls the desk", "answer; limit calls of one address"),
    _https("method, address, media type and length of a call", "answer"),
    _https("IP address and port of who calls the operations endpoint", "answer"),
    _https("an operator's token", "know which person it is; its SHA-256 is in the case file"),
    _https(
        "an authority's signed call", "authenticate; a request is kept in the case file, of a refused call its SHA-256"
    ),
    *(field for metric in METRICS for field in _metric(metric)),
    *(field for span in SPANS for field in _spans(span)),
    *(_span(f"resource{{{name}}}", name, "tell whose spans they are", "the relay's own") for name in RESOURCE),
)
