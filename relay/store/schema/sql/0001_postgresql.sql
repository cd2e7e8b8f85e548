CREATE TABLE tenant (
    name TEXT NOT NULL,
    root BYTEA NOT NULL,
    registered_day BIGINT NOT NULL,
    jurisdiction TEXT,
    log_index BIGINT,
    PRIMARY KEY (name)
);

CREATE TABLE device (
    account_id BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    "user" TEXT NOT NULL,
    device TEXT NOT NULL,
    certificate BYTEA NOT NULL,
    registered_day BIGINT NOT NULL,
    last_seen_day BIGINT,
    statement BYTEA,
    statement_signature BYTEA,
    statement_sequence BIGINT,
    log_index BIGINT,
    PRIMARY KEY (account_id),
    UNIQUE (tenant, "user", device),
    FOREIGN KEY(tenant) REFERENCES tenant (name)
);

-- Nodes give account ids to new devices out of blocks of their own. A number that was not used is never given again.
CREATE SEQUENCE account_block AS BIGINT INCREMENT BY 1000;

CREATE TABLE prekey (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    is_fallback BIGINT NOT NULL,
    body BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(account_id) REFERENCES device (account_id)
);

CREATE INDEX prekey_of_account ON prekey (account_id, is_fallback);

CREATE TABLE revocation (
    fingerprint BYTEA NOT NULL,
    account_id BIGINT,
    body BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (fingerprint),
    FOREIGN KEY(account_id) REFERENCES device (account_id)
);

CREATE TABLE directory_entry (
    number BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (number)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a log is only added to';
END
$$;

CREATE TRIGGER directory_entry_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON directory_entry
    EXECUTE FUNCTION refuse_change();

CREATE TABLE session (
    account_id BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    expiry BIGINT NOT NULL,
    ended_at BIGINT,
    subscriptions TEXT NOT NULL,
    PRIMARY KEY (account_id, client_id),
    FOREIGN KEY(account_id) REFERENCES device (account_id)
);

-- Rows come and go: what is deleted is dead weight until vacuum has been there. An envelope is ciphertext and does not compress.
CREATE TABLE envelope (
    mailbox_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    message_id BYTEA NOT NULL,
    accepted_at BIGINT NOT NULL,
    expires_at BIGINT,
    size BIGINT NOT NULL,
    filler BYTEA DEFAULT '' NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (mailbox_id, sequence)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 10000, toast.autovacuum_vacuum_cost_delay = 0
);

ALTER TABLE envelope ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Each batch changes rows of it, in place as long as their page has room.
CREATE TABLE mailbox (
    account_id BIGINT NOT NULL,
    last_sequence BIGINT DEFAULT 0 NOT NULL,
    waiting BIGINT DEFAULT 0 NOT NULL,
    waiting_size BIGINT DEFAULT 0 NOT NULL,
    counted_at BIGINT DEFAULT 0 NOT NULL,
    closed BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (account_id)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0
);

-- The key is what keeps two nodes from storing one message.
CREATE TABLE recent_id (
    owner BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    message_id BYTEA NOT NULL,
    recipient BIGINT NOT NULL,
    size BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    PRIMARY KEY (owner, message_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0
);

CREATE SEQUENCE traffic_id_seq AS BIGINT;

-- One partition for each day: see `make_traffic_days` and `drop_traffic`. `traffic_other` has what belongs to no day that there
-- is: what is kept by an order when its day goes, and what a wrong clock has dated.
CREATE TABLE traffic (
    id BIGINT DEFAULT nextval('traffic_id_seq') NOT NULL,
    message_id BYTEA NOT NULL,
    sender_id BIGINT,
    recipient_id BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (id, accepted_at)
) PARTITION BY RANGE (accepted_at);

CREATE TABLE traffic_other PARTITION OF traffic DEFAULT;

CREATE TABLE access (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    opened_hour BIGINT NOT NULL,
    closed_hour BIGINT,
    address TEXT NOT NULL,
    client_version TEXT,
    PRIMARY KEY (id)
);

CREATE INDEX access_of_account ON access (account_id);

CREATE TABLE notice (
    id BIGSERIAL NOT NULL,
    key TEXT NOT NULL,
    tenant TEXT,
    "user" TEXT,
    jurisdiction TEXT,
    issued_at BIGINT NOT NULL,
    body BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (key)
);

CREATE INDEX notice_of_jurisdiction ON notice (jurisdiction);

CREATE INDEX notice_of_user ON notice (tenant, "user");

CREATE TABLE notice_seen (
    account_id BIGINT NOT NULL,
    notice_id BIGINT NOT NULL,
    PRIMARY KEY (account_id, notice_id),
    FOREIGN KEY(account_id) REFERENCES device (account_id),
    FOREIGN KEY(notice_id) REFERENCES notice (id)
);

CREATE TABLE service_change (
    id BIGSERIAL NOT NULL,
    key TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    effective_at BIGINT,
    changed_at BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (key)
);

CREATE TABLE preservation (
    key TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    tell_from BIGINT,
    access_up_to BIGINT NOT NULL,
    traffic_up_to BIGINT NOT NULL,
    PRIMARY KEY (key)
);

CREATE TABLE preserved_account (
    account_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (account_id, key),
    FOREIGN KEY(key) REFERENCES preservation (key)
);
