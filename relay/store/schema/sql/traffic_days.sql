-- Partitions of `traffic` for the days (since the epoch) from p_first to p_last; returns how many were made. They belong to the
-- owner of the tables, so the relay's own role needs no right to create or drop anything.
CREATE FUNCTION make_traffic_days(p_first bigint, p_last bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
    v_name text;
    v_made bigint := 0;
BEGIN
    FOR v_day IN p_first .. p_last LOOP
        v_name := format('traffic_d%s', v_day);
        CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtext('blindrelay traffic'));
        CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
        -- What a wrong clock has dated in a day to come would have to be moved first: it stays where it is, and its day, too.
        CONTINUE WHEN EXISTS (
            SELECT FROM traffic_other WHERE accepted_at >= v_day * 86400 AND accepted_at < (v_day + 1) * 86400
        );
        -- Made apart and attached, it locks nobody out who writes to the days that there are.
        EXECUTE format('CREATE TABLE %I (LIKE traffic INCLUDING DEFAULTS INCLUDING INDEXES)', v_name);
        EXECUTE format(
            'ALTER TABLE traffic ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', v_name, v_day * 86400, (v_day + 1) * 86400
        );
        v_made := v_made + 1;
    END LOOP;
    RETURN v_made;
EXCEPTION WHEN lock_not_available THEN
    RETURN 0; -- somebody reads for long: they are made ahead, and there is time
END
$$;

-- Drop the days that are over at p_before (epoch seconds), but for the records that an order keeps at p_now: those go to
-- `traffic_other`. Returns how many records went; of large days, how many PostgreSQL believes there were. What is kept is what
-- `blindrelay.relay.desk.preservation.is_preserved` says.
CREATE FUNCTION drop_traffic(p_before bigint, p_now bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
    v_day record;
    v_count bigint;
    v_gone bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('blindrelay traffic'));
    LOCK TABLE preservation, preserved_account IN SHARE MODE; -- an order that comes now comes after
    FOR v_day IN
        SELECT child.relname AS name, child.reltuples AS estimate
        FROM pg_inherits JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = 'traffic'::regclass AND child.relname ~ '^traffic_d[0-9]+$'
              AND (substr(child.relname, 10)::bigint + 1) * 86400 <= p_before
        ORDER BY child.relname
    LOOP
        EXECUTE format($query$
            CREATE TEMP TABLE kept ON COMMIT DROP AS
            SELECT t.* FROM %1$I AS t
            JOIN preserved_account AS a ON a.account_id = t.sender_id JOIN preservation AS o ON o.key = a.key
            WHERE t.id <= o.traffic_up_to AND t.accepted_at >= o.since AND t.accepted_at < o.until AND o.ends_at > %2$s
            UNION
            SELECT t.* FROM %1$I AS t
            JOIN preserved_account AS a ON a.account_id = t.recipient_id JOIN preservation AS o ON o.key = a.key
            WHERE t.id <= o.traffic_up_to AND t.accepted_at >= o.since AND t.accepted_at < o.until AND o.ends_at > %2$s
        $query$, v_day.name, p_now);
        v_count := v_day.estimate;
        IF v_day.estimate < 1000000 THEN
            EXECUTE format('SELECT count(*) FROM %I', v_day.name) INTO v_count;
        END IF;
        v_gone := v_gone + v_count - (SELECT count(*) FROM kept);
        EXECUTE format('ALTER TABLE traffic DETACH PARTITION %I', v_day.name);
        EXECUTE format('DROP TABLE %I', v_day.name);
        INSERT INTO traffic SELECT * FROM kept;
        DROP TABLE kept;
    END LOOP;
    -- What is in no day has no partition to go with. There is little of it, and never so much at once that others wait.
    DELETE FROM traffic_other WHERE ctid = ANY (ARRAY(
        SELECT t.ctid FROM traffic_other AS t
        WHERE t.accepted_at < p_before AND NOT EXISTS (
            SELECT FROM preserved_account AS a JOIN preservation AS o ON o.key = a.key
            WHERE a.account_id IN (t.sender_id, t.recipient_id) AND t.id <= o.traffic_up_to
                  AND t.accepted_at >= o.since AND t.accepted_at < o.until AND o.ends_at > p_now
        )
        LIMIT 100000
    ));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_gone + v_count;
EXCEPTION WHEN lock_not_available THEN
    RETURN 0; -- somebody reads for long: the next run does it
END
$$;
