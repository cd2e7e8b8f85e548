CREATE TABLE last_commit (
    writer BIGINT NOT NULL,
    number BIGINT NOT NULL,
    written_at BIGINT NOT NULL,
    PRIMARY KEY (writer)
);
