-- What several nodes have to agree on.

-- Where a device is. `reader`: the node at which its mailbox is read; `session_node`: the node that has its session; 0: none.
-- `epoch` is raised whenever a node takes the session; `sent_up_to` is what was sent in it when it ended.
-- Not in `mailbox`: batches lock those rows in order, and connections come in any order.
CREATE TABLE presence (
    account_id BIGINT NOT NULL,
    reader BIGINT DEFAULT 0 NOT NULL,
    session_node BIGINT DEFAULT 0 NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    sent_up_to BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (account_id)
) WITH (fillfactor = 50);

CREATE TABLE node (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    followed BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE change (
    number BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (number)
);

CREATE TABLE log_tile (
    log TEXT NOT NULL,
    level BIGINT NOT NULL,
    number BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (log, level, number)
);

CREATE TABLE log_head (
    log TEXT NOT NULL,
    size BIGINT NOT NULL,
    note BYTEA NOT NULL,
    PRIMARY KEY (log)
);

CREATE TABLE charge (
    tenant TEXT NOT NULL,
    node BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (tenant, node)
) WITH (fillfactor = 50);
