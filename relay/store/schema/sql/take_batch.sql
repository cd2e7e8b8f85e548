-- One commit of one relay node, in one call: deletes what was acknowledged, and stores what may be stored.
--
-- Places in a mailbox are given here, under the lock of the mailbox's row: so they have no gaps, a higher one is never
-- visible before a lower one, and two nodes never give the same. Rows are locked in the order of their numbers, mailboxes
-- before recent ids, so that two nodes do not wait for one another.
--
-- An id that was stored before is recognised by its key, also by another node, and also after a connection was lost with
-- the commit under way. So the whole call may be repeated.
--
-- A node that has lost a session to another one may still hold what it took for it. `p_epoch` has for each envelope the epoch of
-- its sender's session, or 0; what is of an older epoch than the session has now is refused. (An empty array: all are 0.)
--
-- `places` has for each envelope its place, or 0. Then `refusals` says why: 1 stored before (`places` has a place
-- that it is not above), 2 the id is another message's, 3 the mailbox is closed, 4 it is full, 5 the session has gone on elsewhere.
-- NULL: none was refused. `readers` has for each envelope the node at which its mailbox is read, or 0.
--
-- The statements are written so that there is one way to carry them out: arrays are gone through once, and each element is
-- looked up by a key (LATERAL). A planner that thinks of a table what it was an hour ago cannot make a join of it.
CREATE FUNCTION take_batch(
    p_mailbox bigint[], p_message bytea[], p_sender bigint[], p_accepted bigint[], p_expires bigint[], p_size bigint[],
    p_payload bytea[], p_owner bigint[], p_checksum bigint[], p_epoch bigint[],
    p_gone_mailbox bigint[], p_gone_sequence bigint[], p_trim bigint[],
    p_quota_count bigint, p_quota_size bigint,
    OUT places bigint[], OUT refusals bigint[], OUT readers bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    v_now CONSTANT bigint := extract(epoch FROM clock_timestamp());
    v_boxes bigint[];
    v_locked bigint[];
    v_crowded bigint[];
    v_ids bigint[];
    v_doubtful boolean; -- whether it must be looked at each envelope
    v_count bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1651663970, 2); -- see `newest`
    IF cardinality(p_gone_mailbox) > 0 THEN
        DELETE FROM envelope WHERE ctid = ANY (ARRAY(
            SELECT found.ctid
            FROM unnest(p_gone_mailbox, p_gone_sequence) AS gone (mailbox, sequence),
                 LATERAL (
                     SELECT e.ctid FROM envelope AS e
                     WHERE e.mailbox_id = gone.mailbox AND e.sequence = gone.sequence LIMIT 1
                 ) AS found
        ));
    END IF;
    IF cardinality(p_mailbox) = 0 THEN
        places := '{}';
        RETURN;
    END IF;

    v_boxes := ARRAY(SELECT DISTINCT box FROM unnest(p_mailbox) AS box ORDER BY box);
    LOOP
        v_locked := ARRAY(SELECT m.account_id FROM mailbox AS m WHERE m.account_id = ANY (v_boxes) ORDER BY m.account_id FOR UPDATE);
        EXIT WHEN v_locked = v_boxes;
        INSERT INTO mailbox (account_id) SELECT box FROM unnest(v_boxes) AS box ORDER BY box ON CONFLICT (account_id) DO NOTHING;
    END LOOP;

    -- `waiting` is what has come since it was counted, and never less than what there is: removals do not take the lock.
    SELECT bool_or(m.closed <> 0 OR m.is_full), array_agg(coming.mailbox) FILTER (WHERE m.is_full AND m.counted_at < v_now)
    INTO v_doubtful, v_crowded
    FROM (
        SELECT mailbox, count(*) AS number, sum(size) AS size
        FROM unnest(p_mailbox, p_size) AS e (mailbox, size) GROUP BY mailbox
    ) AS coming,
    LATERAL (
        SELECT m.closed, m.counted_at,
               m.waiting + coming.number > p_quota_count OR m.waiting_size + coming.size > p_quota_size AS is_full
        FROM mailbox AS m WHERE m.account_id = coming.mailbox LIMIT 1
    ) AS m;
    IF v_crowded IS NOT NULL THEN
        UPDATE mailbox AS m SET (waiting, waiting_size, counted_at) = (
            SELECT count(*), coalesce(sum(e.size), 0), v_now FROM envelope AS e WHERE e.mailbox_id = m.account_id
        )
        WHERE m.account_id = ANY (v_crowded);
    END IF;

    IF cardinality(p_epoch) > 0 THEN
        v_doubtful := v_doubtful OR EXISTS (
            SELECT FROM unnest(p_owner, p_epoch) AS e (owner, epoch),
                 LATERAL (SELECT s.epoch FROM presence AS s WHERE s.account_id = e.owner LIMIT 1) AS session
            WHERE e.epoch > 0 AND e.epoch < session.epoch
        );
    END IF;

    -- Remember the ids, all of them at first. One that is there already makes us look closer; the next time around, it is seen.
    v_ids := ARRAY(SELECT nextval('traffic_id_seq') FROM generate_series(1, cardinality(p_mailbox)));
    LOOP
        IF v_doubtful THEN
            SELECT array_agg(
                CASE
                    WHEN known.recipient = e.mailbox AND known.size = e.size AND known.checksum = e.checksum & 4294967295 THEN 1
                    WHEN known.recipient IS NOT NULL THEN 2
                    WHEN e.repetition > 1 THEN 1
                    WHEN m.closed <> 0 THEN 3
                    WHEN e.epoch > 0 AND e.epoch < session.epoch THEN 5
                    WHEN m.waiting + e.coming > p_quota_count OR m.waiting_size + e.coming_size > p_quota_size THEN 4
                    ELSE 0
                END::bigint ORDER BY e.number
            ) INTO refusals
            FROM (
                SELECT e.*, count(*) OVER before AS coming, sum(size) OVER before AS coming_size,
                       row_number() OVER (PARTITION BY owner, message ORDER BY number) AS repetition
                FROM unnest(p_mailbox, p_message, p_size, p_owner, p_checksum, p_epoch)
                    WITH ORDINALITY AS e (mailbox, message, size, owner, checksum, epoch, number)
                WINDOW before AS (PARTITION BY mailbox ORDER BY number)
            ) AS e
            LEFT JOIN LATERAL (
                SELECT r.recipient, r.size, r.checksum & 4294967295 AS checksum FROM recent_id AS r
                WHERE r.owner = e.owner AND r.message_id = e.message LIMIT 1
            ) AS known ON true
            LEFT JOIN LATERAL (
                SELECT s.epoch FROM presence AS s WHERE s.account_id = e.owner LIMIT 1
            ) AS session ON true,
            LATERAL (SELECT m.* FROM mailbox AS m WHERE m.account_id = e.mailbox LIMIT 1) AS m;
        END IF;
        INSERT INTO recent_id (owner, slot, message_id, recipient, size, checksum, accepted_at)
        SELECT e.owner, e.id, e.message, e.mailbox, e.size, e.checksum, e.accepted
        FROM unnest(p_owner, v_ids, p_message, p_mailbox, p_size, p_checksum, p_accepted, refusals)
            AS e (owner, id, message, mailbox, size, checksum, accepted, refusal)
        WHERE e.refusal IS NULL OR e.refusal = 0
        ORDER BY e.owner, e.message
        ON CONFLICT (owner, message_id) DO NOTHING;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        EXIT WHEN v_count = coalesce(cardinality(array_positions(refusals, 0)), cardinality(p_mailbox));
        DELETE FROM recent_id AS r
        WHERE r.ctid = ANY (ARRAY(
            SELECT mine.ctid
            FROM unnest(p_owner, p_message, v_ids) AS e (owner, message, id),
                 LATERAL (
                     SELECT r.ctid FROM recent_id AS r
                     WHERE r.owner = e.owner AND r.message_id = e.message AND r.slot = e.id LIMIT 1
                 ) AS mine
        ));
        v_doubtful := true;
    END LOOP;

    places := ARRAY(
        SELECT CASE
            WHEN e.refusal > 1 THEN 0
            WHEN e.refusal = 1 THEN m.last_sequence
            ELSE m.last_sequence + sum(CASE WHEN e.refusal > 0 THEN 0 ELSE 1 END) OVER (PARTITION BY e.mailbox ORDER BY e.number)
        END::bigint
        FROM unnest(p_mailbox, refusals) WITH ORDINALITY AS e (mailbox, refusal, number),
             LATERAL (SELECT m.last_sequence FROM mailbox AS m WHERE m.account_id = e.mailbox LIMIT 1) AS m
        ORDER BY e.number
    );
    readers := ARRAY(
        SELECT coalesce(device.reader, 0)
        FROM unnest(p_mailbox) WITH ORDINALITY AS e (mailbox, number)
        LEFT JOIN LATERAL (
            SELECT s.reader FROM presence AS s WHERE s.account_id = e.mailbox LIMIT 1
        ) AS device ON true
        ORDER BY e.number
    );
    INSERT INTO envelope (mailbox_id, sequence, message_id, accepted_at, expires_at, size, payload)
    SELECT e.mailbox, e.place, e.message, e.accepted, nullif(e.expires, 0), e.size, e.payload
    FROM unnest(p_mailbox, places, p_message, p_accepted, p_expires, p_size, p_payload, refusals)
        AS e (mailbox, place, message, accepted, expires, size, payload, refusal)
    WHERE e.refusal IS NULL OR e.refusal = 0;
    INSERT INTO traffic (id, message_id, sender_id, recipient_id, accepted_at, size)
    SELECT e.id, e.message, nullif(e.sender, 0), e.mailbox, e.accepted, e.size
    FROM unnest(v_ids, p_message, p_sender, p_mailbox, p_accepted, p_size, refusals)
        AS e (id, message, sender, mailbox, accepted, size, refusal)
    WHERE e.refusal IS NULL OR e.refusal = 0;
    INSERT INTO mailbox AS m (account_id, last_sequence, waiting, waiting_size)
    SELECT e.mailbox, max(e.place), count(*), sum(e.size)
    FROM unnest(p_mailbox, places, p_size, refusals) AS e (mailbox, place, size, refusal)
    WHERE e.refusal IS NULL OR e.refusal = 0
    GROUP BY e.mailbox
    ON CONFLICT (account_id) DO UPDATE -- which it always is
    SET last_sequence = excluded.last_sequence, waiting = m.waiting + excluded.waiting,
        waiting_size = m.waiting_size + excluded.waiting_size;

    -- Of these owners the node has written as many ids as are to be remembered: what is older goes.
    IF cardinality(p_trim) > 0 THEN
        DELETE FROM recent_id AS r WHERE r.ctid = ANY (ARRAY(
            SELECT old.ctid
            FROM unnest(p_trim) AS trim (owner),
                 LATERAL (
                     SELECT r.ctid FROM recent_id AS r WHERE r.owner = trim.owner ORDER BY r.slot DESC
                     OFFSET CASE WHEN trim.owner > 0 THEN 256 ELSE 1024 END
                 ) AS old
        ));
    END IF;
END
$$;
