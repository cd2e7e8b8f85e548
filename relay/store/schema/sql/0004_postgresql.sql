-- Whose connections a real-time order is about, from `since` up to and without `until`; `device` is empty for each of the user's.
CREATE TABLE connection_watch (
    key TEXT NOT NULL,
    tenant TEXT NOT NULL,
    "user" TEXT NOT NULL,
    device TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (key, tenant, "user", device)
);

CREATE TABLE connection_event (
    number BIGSERIAL NOT NULL,
    access_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    is_end BIGINT NOT NULL,
    PRIMARY KEY (number)
);

-- A connection that has begun or ended and is somebody's who is watched is told of in the transaction that records it, whichever
-- node that is. The lock is held until the commit: whoever reads waits for those that are under way, and so has missed nothing
-- below the highest number that is visible; and whoever has begun to watch, and waited likewise, misses nothing from then on.
CREATE FUNCTION note_connection() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_at CONSTANT bigint := floor(extract(epoch FROM clock_timestamp()));
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1651663970, 5);
    INSERT INTO connection_event (access_id, at, is_end)
    SELECT NEW.id, v_at, CASE TG_OP WHEN 'UPDATE' THEN 1 ELSE 0 END
    WHERE EXISTS (
        SELECT FROM connection_watch AS w
        JOIN device AS d ON d.tenant = w.tenant AND d."user" = w."user" AND w.device IN ('', d.device)
        WHERE d.account_id = NEW.account_id AND w.since <= v_at AND w.until > v_at
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER note_connection AFTER INSERT OR UPDATE OF closed_hour ON access
    FOR EACH ROW EXECUTE FUNCTION note_connection();

-- What has been told of behind a number, and the records of those connections.
CREATE FUNCTION connection_events(p_after bigint) RETURNS TABLE (
    number bigint, access_id bigint, at bigint, is_end bigint,
    account_id bigint, opened_hour bigint, closed_hour bigint, address text, client_version text
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1651663970, 5);
    RETURN QUERY
        SELECT e.number, e.access_id, e.at, e.is_end, a.account_id, a.opened_hour, a.closed_hour, a.address, a.client_version
        FROM connection_event AS e JOIN access AS a ON a.id = e.access_id
        WHERE e.number > p_after ORDER BY e.number;
END
$$;
