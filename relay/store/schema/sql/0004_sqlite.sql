CREATE TABLE IF NOT EXISTS connection_watch (
    "key" TEXT NOT NULL,
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    device TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY ("key", tenant, user, device)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS connection_event (
    number INTEGER NOT NULL,
    access_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    is_end INTEGER NOT NULL,
    PRIMARY KEY (number)
) STRICT;
