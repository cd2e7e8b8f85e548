CREATE TABLE departed (
    name TEXT NOT NULL,
    root BYTEA NOT NULL,
    left_day BIGINT NOT NULL,
    PRIMARY KEY (name)
);

CREATE CONSTRAINT TRIGGER note_departed AFTER INSERT ON departed
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change('departed', 'name');
