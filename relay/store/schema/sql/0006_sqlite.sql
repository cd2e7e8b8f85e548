CREATE TABLE IF NOT EXISTS last_commit (
    writer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (writer)
) STRICT;
