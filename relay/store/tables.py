"""Every table of the relay. How a database comes to have them, and from older ones to these, is in `schema`.

Times are whole seconds since the epoch, except where a name says hour or day: `..._hour` and `..._day` count those since
the epoch. SQLite and PostgreSQL have the same tables; where their keys differ, the table says so.

Every column is declared in the metadata inventory (`blindrelay.relay.inventory`), and a test holds us to it.

`account_id` names a device. It is never given twice (AUTOINCREMENT), so that a record cannot become somebody else's.
"""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, MetaData, Table, Text, UniqueConstraint

from blindrelay.relay.store.types import Number
from blindrelay.relay.transparency.entries import log_table

metadata = MetaData()

tenant = Table(
    "tenant",
    metadata,
    Column("name", Text, primary_key=True),
    Column("root", LargeBinary, nullable=False),  # DER
    Column("registered_day", Number, nullable=False),
    Column("jurisdiction", Text),  # ISO 3166-1 alpha-2, lower case; null: nobody has said
    Column("log_index", Number),  # of the root's entry in the log `directory`
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Tenants that have left. It is all that stays of them: so nobody can be taken for one of them, under whatever root.
departed = Table(
    "departed",
    metadata,
    Column("name", Text, primary_key=True),
    Column("root", LargeBinary, nullable=False),  # SHA-256 of the DER
    Column("left_day", Number, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

device = Table(
    "device",
    metadata,
    Column("account_id", Number, primary_key=True),
    Column("tenant", Text, ForeignKey("tenant.name"), nullable=False),
    Column("user", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("certificate", LargeBinary, nullable=False),  # DER
    Column("registered_day", Number, nullable=False),
    Column("last_seen_day", Number),  # of the account's own shifted day: see `ledger.last_seen_day`
    # The signed DeviceStatement, as the bytes that were signed; null until the device has published one.
    Column("statement", LargeBinary),
    Column("statement_signature", LargeBinary),
    Column("statement_sequence", Number),
    Column("log_index", Number),  # of the statement's entry in the log `directory`
    UniqueConstraint("tenant", "user", "device"),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

prekey = Table(
    "prekey",
    metadata,
    Column("id", Number, primary_key=True),
    Column("account_id", Number, ForeignKey("device.account_id"), nullable=False),
    Column("is_fallback", Number, nullable=False),  # 0 or 1
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Index("prekey_of_account", "account_id", "is_fallback"),
    sqlite_strict=True,
)

revocation = Table(
    "revocation",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),  # SHA-256 of the DER certificate
    Column("account_id", Number, ForeignKey("device.account_id")),  # null when the device never came here
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# The log `directory`: see `blindrelay.relay.transparency`.
directory_entry = log_table("directory_entry", metadata)

session = Table(
    "session",
    metadata,
    Column("account_id", Number, ForeignKey("device.account_id"), primary_key=True),
    Column("client_id", Text, primary_key=True),
    Column("expiry", Number, nullable=False),  # seconds after the end of the connection; 0xFFFFFFFF: never
    Column("ended_at", Number),  # null while connected, and after a crash
    Column("subscriptions", Text, nullable=False),  # JSON
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

envelope = Table(
    "envelope",
    metadata,
    Column("mailbox_id", Number, primary_key=True),  # account id of the recipient device
    Column("sequence", Number, primary_key=True),
    Column("message_id", LargeBinary, nullable=False),
    Column("accepted_at", Number, nullable=False),
    Column("expires_at", Number),
    Column("size", Number, nullable=False),  # bytes of the envelope, before `layout.padded`
    Column("filler", LargeBinary, nullable=False),  # zeros: see `layout`
    Column("payload", LargeBinary, nullable=False),
    sqlite_strict=True,
)

# What the batches of several nodes have to agree on, one row for each mailbox that was ever written to. With SQLite one process
# has all of that in memory, and `last_sequence` stays 0.
mailbox = Table(
    "mailbox",
    metadata,
    Column("account_id", Number, primary_key=True, autoincrement=False),
    Column("last_sequence", Number, nullable=False, server_default="0"),  # the place that was given last
    Column("waiting", Number, nullable=False, server_default="0"),  # what waits at most: see `take_batch.sql`
    Column("waiting_size", Number, nullable=False, server_default="0"),  # bytes, at most
    Column("counted_at", Number, nullable=False, server_default="0"),  # when the two were last exact
    Column(
        "closed", Number, nullable=False, server_default="0"
    ),  # 1: of a device that is revoked or gone: no mail is taken
    sqlite_strict=True,
)

# The last message ids of each sender, as a ring: enough to recognise a retry, for a sender can only repeat what it has no
# PUBACK for, and PUBACKs leave in order. `owner` is the sender's account id, or -(recipient's) for sealed senders.
# With PostgreSQL the key is owner and message id, so that two nodes cannot both store one message; `slot` is then the number
# of its traffic record, and the oldest ids go when there are twice as many as are needed.
recent_id = Table(
    "recent_id",
    metadata,
    Column("owner", Number, primary_key=True),
    Column("slot", Number, primary_key=True),
    Column("message_id", LargeBinary, nullable=False),
    Column("recipient", Number, nullable=False),
    Column("size", Number, nullable=False),
    Column("checksum", Number, nullable=False),  # see `blindrelay.relay.ring`
    Column("accepted_at", Number, nullable=False),  # so that it goes when its traffic record goes
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Append-only and without any other index, so that it costs the same with five million rows in it. Queries go through it in
# pieces: see `blindrelay.relay.ledger`.
traffic = Table(
    "traffic",
    metadata,
    Column("id", Number, primary_key=True),
    Column("message_id", LargeBinary, nullable=False),
    Column("sender_id", Number),  # null: sealed
    Column("recipient_id", Number, nullable=False),
    Column("accepted_at", Number, nullable=False),
    Column("size", Number, nullable=False),  # padded, bytes
    sqlite_strict=True,
)

access = Table(
    "access",
    metadata,
    Column("id", Number, primary_key=True),
    Column("account_id", Number, nullable=False),
    Column("opened_hour", Number, nullable=False),
    Column("closed_hour", Number),  # null while open, and when a crash kept the end from being recorded
    Column("address", Text, nullable=False),
    Column("client_version", Text),
    Index("access_of_account", "account_id"),
    sqlite_strict=True,
)

# What the relay has to tell its users, signed with the desk's key. It is about a user (tenant and user), or about the service
# in a jurisdiction: then it is for everybody whose tenant is there.
notice = Table(
    "notice",
    metadata,
    Column("id", Number, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # what it is about, so that it is given once
    Column("tenant", Text),
    Column("user", Text),
    Column("jurisdiction", Text),
    Column("issued_at", Number, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Index("notice_of_user", "tenant", "user"),
    Index("notice_of_jurisdiction", "jurisdiction"),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

notice_seen = Table(
    "notice_seen",
    metadata,
    Column("account_id", Number, ForeignKey("device.account_id"), primary_key=True),
    Column("notice_id", Number, ForeignKey("notice.id"), primary_key=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# What has become of the service in a jurisdiction; the last row of it is its state. Rows are only added.
service_change = Table(
    "service_change",
    metadata,
    Column("id", Number, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # the order behind it, so that it is carried out once
    Column("jurisdiction", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("effective_at", Number),  # null in a state without a date
    Column("changed_at", Number, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

# Orders to keep what exists from retention: records of these accounts up to a number, with a time from `since` up to and
# without `until`. An older relay would delete them, which is why it may not open this database.
preservation = Table(
    "preservation",
    metadata,
    Column("key", Text, primary_key=True),  # case and demand
    Column("since", Number, nullable=False),
    Column("until", Number, nullable=False),
    Column("ends_at", Number, nullable=False),
    Column("tell_from", Number),  # null: users may not be told as long as it lasts
    Column("access_up_to", Number, nullable=False),  # 0: no connections
    Column("traffic_up_to", Number, nullable=False),  # 0: no traffic
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

preserved_account = Table(
    "preserved_account",
    metadata,
    Column("account_id", Number, primary_key=True),
    Column("key", Text, ForeignKey("preservation.key"), primary_key=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# At which node of a cluster a device is. Not in `mailbox`: batches lock those rows in order, and connections come in any order.
presence = Table(
    "presence",
    metadata,
    Column("account_id", Number, primary_key=True, autoincrement=False),
    Column("reader", Number, nullable=False, server_default="0"),  # the node at which its mailbox is read; 0: none
    Column("session_node", Number, nullable=False, server_default="0"),  # the node that has its session; 0: none
    Column("epoch", Number, nullable=False, server_default="0"),  # raised whenever a node takes the session
    Column("sent_up_to", Number, nullable=False, server_default="0"),  # in the session, when it ended last
    sqlite_strict=True,
)

# The starts of the nodes of a cluster. Which of them are alive is for locks to say: see `blindrelay.relay.cluster.presence`.
node = Table(
    "node",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False),
    Column("started_at", Number, nullable=False),
    Column("followed", Number, nullable=False, server_default="0"),  # the number of the change that it acts by
    Column("address", Text),  # where clients reach it, host:port; null: nobody knows, or it takes no more
    sqlite_strict=True,
)

# What has changed of that which every node keeps in memory: see `blindrelay.relay.cluster.feed`.
change = Table(
    "change",
    metadata,
    Column("number", Number, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("noted_at", Number, nullable=False),
    sqlite_strict=True,
)

# What devices of a tenant have sent through each node, for their common limit: see `blindrelay.relay.cluster.charges`.
charge = Table(
    "charge",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("node", Number, primary_key=True),
    Column("count", Number, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# The number of the last transaction of each connection that writes, written in it: by that a store finds out what became of a
# COMMIT whose answer was lost. PostgreSQL's own number says less: after a crash somebody else may have that of what was lost.
last_commit = Table(
    "last_commit",
    metadata,
    Column("writer", Number, primary_key=True, autoincrement=False),  # the connection, by chance
    Column("number", Number, nullable=False),
    Column("written_at", Number, nullable=False),
    sqlite_strict=True,
)

# Whose connections a real-time order is about, while it lasts, and those that have begun or ended since the desk looked last,
# at whichever node: see `blindrelay.relay.cluster.connections`.
connection_watch = Table(
    "connection_watch",
    metadata,
    Column("key", Text, primary_key=True),  # case and demand
    Column("tenant", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("device", Text, primary_key=True),  # empty: each of the user's
    Column("since", Number, nullable=False),
    Column("until", Number, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
connection_event = Table(
    "connection_event",
    metadata,
    Column("number", Number, primary_key=True),
    Column("access_id", Number, nullable=False),
    Column("at", Number, nullable=False),
    Column("is_end", Number, nullable=False),  # 0 or 1
    sqlite_strict=True,
)

# The public logs as they are published by several nodes: see `blindrelay.relay.transparency.stored_shelf`.
log_tile = Table(
    "log_tile",
    metadata,
    Column("log", Text, primary_key=True),
    Column("level", Number, primary_key=True),
    Column("number", Number, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
log_head = Table(
    "log_head",
    metadata,
    Column("log", Text, primary_key=True),
    Column("size", Number, nullable=False),
    Column("note", LargeBinary, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
