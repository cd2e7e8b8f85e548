CREATE TABLE IF NOT EXISTS tenant (
    name TEXT NOT NULL,
    root BLOB NOT NULL,
    registered_day INTEGER NOT NULL,
    jurisdiction TEXT,
    log_index INTEGER,
    PRIMARY KEY (name)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS device (
    account_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    device TEXT NOT NULL,
    certificate BLOB NOT NULL,
    registered_day INTEGER NOT NULL,
    last_seen_day INTEGER,
    statement BLOB,
    statement_signature BLOB,
    statement_sequence INTEGER,
    log_index INTEGER,
    UNIQUE (tenant, user, device),
    FOREIGN KEY(tenant) REFERENCES tenant (name)
) STRICT;

CREATE TABLE IF NOT EXISTS prekey (
    id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    is_fallback INTEGER NOT NULL,
    body BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(account_id) REFERENCES device (account_id)
) STRICT;

CREATE INDEX IF NOT EXISTS prekey_of_account ON prekey (account_id, is_fallback);

CREATE TABLE IF NOT EXISTS revocation (
    fingerprint BLOB NOT NULL,
    account_id INTEGER,
    body BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (fingerprint),
    FOREIGN KEY(account_id) REFERENCES device (account_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS directory_entry (
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (number)
) STRICT;

CREATE TRIGGER IF NOT EXISTS directory_entry_no_update BEFORE UPDATE ON directory_entry
BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END;

CREATE TRIGGER IF NOT EXISTS directory_entry_no_delete BEFORE DELETE ON directory_entry
BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END;

CREATE TABLE IF NOT EXISTS session (
    account_id INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    expiry INTEGER NOT NULL,
    ended_at INTEGER,
    subscriptions TEXT NOT NULL,
    PRIMARY KEY (account_id, client_id),
    FOREIGN KEY(account_id) REFERENCES device (account_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS envelope (
    mailbox_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    expires_at INTEGER,
    size INTEGER NOT NULL,
    filler BLOB NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (mailbox_id, sequence)
) STRICT;

CREATE TABLE IF NOT EXISTS mailbox (
    account_id INTEGER NOT NULL,
    last_sequence INTEGER DEFAULT '0' NOT NULL,
    waiting INTEGER DEFAULT '0' NOT NULL,
    waiting_size INTEGER DEFAULT '0' NOT NULL,
    counted_at INTEGER DEFAULT '0' NOT NULL,
    closed INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (account_id)
) STRICT;

CREATE TABLE IF NOT EXISTS recent_id (
    owner INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    recipient INTEGER NOT NULL,
    size INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (owner, slot)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS traffic (
    id INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    sender_id INTEGER,
    recipient_id INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;

CREATE TABLE IF NOT EXISTS access (
    id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    opened_hour INTEGER NOT NULL,
    closed_hour INTEGER,
    address TEXT NOT NULL,
    client_version TEXT,
    PRIMARY KEY (id)
) STRICT;

CREATE INDEX IF NOT EXISTS access_of_account ON access (account_id);

CREATE TABLE IF NOT EXISTS notice (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" TEXT NOT NULL,
    tenant TEXT,
    user TEXT,
    jurisdiction TEXT,
    issued_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    signature BLOB NOT NULL,
    UNIQUE ("key")
) STRICT;

CREATE INDEX IF NOT EXISTS notice_of_jurisdiction ON notice (jurisdiction);

CREATE INDEX IF NOT EXISTS notice_of_user ON notice (tenant, user);

CREATE TABLE IF NOT EXISTS notice_seen (
    account_id INTEGER NOT NULL,
    notice_id INTEGER NOT NULL,
    PRIMARY KEY (account_id, notice_id),
    FOREIGN KEY(account_id) REFERENCES device (account_id),
    FOREIGN KEY(notice_id) REFERENCES notice (id)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS service_change (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    effective_at INTEGER,
    changed_at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    note TEXT NOT NULL,
    UNIQUE ("key")
) STRICT;

CREATE TABLE IF NOT EXISTS preservation (
    "key" TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    tell_from INTEGER,
    access_up_to INTEGER NOT NULL,
    traffic_up_to INTEGER NOT NULL,
    PRIMARY KEY ("key")
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS preserved_account (
    account_id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    PRIMARY KEY (account_id, "key"),
    FOREIGN KEY("key") REFERENCES preservation ("key")
) WITHOUT ROWID, STRICT;
