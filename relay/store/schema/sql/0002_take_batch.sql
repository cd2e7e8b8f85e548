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
-- `places` has for each envelope its place, or 0. Then `refusals` says why: 1 stored before (`places` has the newest place
-- of the mailbox), 2 the id is another message's, 3 the mailbox is closed, 4 it is full, 5 the session has gone on elsewhere.
-- NULL: none was refused. `readers` has for each envelope that is stored the node at which its mailbox is read, or 0.
DROP FUNCTION take_batch(
    bigint[], bytea[], bigint[], bigint[], bigint[], bigint[], bytea[], bigint[], bigint[], bigint[], bigint[], bigint[],
    bigint, bigint
);

CREATE FUNCTION take_batch(
    p_mailbox bigint[], p_message bytea[], p_sender bigint[], p_accepted bigint[], p_expires bigint[], p_size bigint[],
    p_payload bytea[], p_owner bigint[], p_checksum bigint[], p_epoch bigint[],
    p_gone_mailbox bigint[], p_gone_sequence bigint[], p_trim bigint[],
    p_quota_count bigint, p_quota_size bigint,
    OUT places bigint[], OUT refusals bigint[], OUT readers bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    v_now CONSTANT bigint := extract(epoch FROM clock_timestamp());
    v_ids bigint[];
    v_wanted bigint;
    v_known bigint;
    v_crowded bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1651663970, 2); -- see `newest`
    IF cardinality(p_gone_mailbox) > 0 THEN
        DELETE FROM envelope AS e
        USING unnest(p_gone_mailbox, p_gone_sequence) AS gone (mailbox, sequence)
        WHERE e.mailbox_id = gone.mailbox AND e.sequence = gone.sequence;
    END IF;
    IF cardinality(p_mailbox) = 0 THEN
        places := '{}';
        RETURN;
    END IF;

    v_wanted := (SELECT count(DISTINCT mailbox) FROM unnest(p_mailbox) AS box (mailbox));
    LOOP
        SELECT count(*), array_agg(locked.account_id) FILTER (WHERE locked.crowded) INTO v_known, v_crowded
        FROM (
            SELECT m.account_id,
                   (m.waiting + coming.number > p_quota_count OR m.waiting_size + coming.size > p_quota_size)
                       AND m.counted_at < v_now AS crowded
            FROM mailbox AS m
            JOIN (
                SELECT box.mailbox, count(*) AS number, sum(box.size) AS size
                FROM unnest(p_mailbox, p_size) AS box (mailbox, size) GROUP BY box.mailbox
            ) AS coming ON coming.mailbox = m.account_id
            ORDER BY m.account_id
            FOR UPDATE OF m
        ) AS locked;
        EXIT WHEN v_known = v_wanted;
        INSERT INTO mailbox (account_id)
        SELECT DISTINCT box.mailbox FROM unnest(p_mailbox) AS box (mailbox) ORDER BY box.mailbox
        ON CONFLICT (account_id) DO NOTHING;
    END LOOP;

    -- `waiting` is what has come since it was counted, and never less than what there is: removals do not take the lock.
    IF v_crowded IS NOT NULL THEN
        UPDATE mailbox AS m SET waiting = counted.number, waiting_size = counted.size, counted_at = v_now
        FROM (
            SELECT box.mailbox, count(e.sequence) AS number, coalesce(sum(e.size), 0) AS size
            FROM unnest(v_crowded) AS box (mailbox) LEFT JOIN envelope AS e ON e.mailbox_id = box.mailbox
            GROUP BY box.mailbox
        ) AS counted
        WHERE m.account_id = counted.mailbox;
    END IF;

    v_ids := ARRAY(SELECT nextval('traffic_id_seq') FROM generate_series(1, cardinality(p_mailbox)));

    WITH entry AS (
        SELECT *
        FROM unnest(p_mailbox, p_message, p_sender, p_accepted, p_expires, p_size, p_payload, p_owner, p_checksum, p_epoch, v_ids)
            WITH ORDINALITY
            AS e (mailbox, message, sender, accepted, expires, size, payload, owner, checksum, epoch, id, number)
    ), admitted AS (
        SELECT e.mailbox, e.message, e.accepted, e.size, e.owner, e.checksum, e.id, e.number, m.last_sequence
        FROM (
            SELECT entry.*, count(*) OVER before AS coming, sum(size) OVER before AS coming_size
            FROM entry
            WHERE CASE WHEN epoch > 0 THEN epoch >= coalesce((SELECT s.epoch FROM presence AS s WHERE s.account_id = owner), 0) ELSE TRUE END
            WINDOW before AS (PARTITION BY mailbox ORDER BY number)
        ) AS e
        JOIN mailbox AS m ON m.account_id = e.mailbox
        WHERE m.closed = 0 AND m.waiting + e.coming <= p_quota_count AND m.waiting_size + e.coming_size <= p_quota_size
    ), fresh AS (
        INSERT INTO recent_id (owner, slot, message_id, recipient, size, checksum, accepted_at)
        SELECT owner, id, message, mailbox, size, checksum, accepted FROM admitted ORDER BY owner, message
        ON CONFLICT (owner, message_id) DO NOTHING
        RETURNING slot
    ), placed AS (
        SELECT a.id, a.mailbox, a.size, a.last_sequence + row_number() OVER (PARTITION BY a.mailbox ORDER BY a.number) AS place
        FROM admitted AS a JOIN fresh ON fresh.slot = a.id
    ), stored AS (
        INSERT INTO envelope (mailbox_id, sequence, message_id, accepted_at, expires_at, size, payload)
        SELECT e.mailbox, p.place, e.message, e.accepted, nullif(e.expires, 0), e.size, e.payload
        FROM entry AS e JOIN placed AS p ON p.id = e.id
    ), noted AS (
        INSERT INTO traffic (id, message_id, sender_id, recipient_id, accepted_at, size)
        SELECT e.id, e.message, nullif(e.sender, 0), e.mailbox, e.accepted, e.size
        FROM entry AS e JOIN placed AS p ON p.id = e.id
    ), counted AS (
        UPDATE mailbox AS m
        SET last_sequence = new.last, waiting = m.waiting + new.number, waiting_size = m.waiting_size + new.size
        FROM (
            SELECT mailbox, max(place) AS last, count(*) AS number, sum(size) AS size FROM placed GROUP BY mailbox
        ) AS new
        WHERE m.account_id = new.mailbox
    )
    SELECT array_agg(coalesce(p.place, 0) ORDER BY e.number),
           array_agg(coalesce((SELECT s.reader FROM presence AS s WHERE s.account_id = p.mailbox), 0) ORDER BY e.number)
    INTO places, readers
    FROM unnest(v_ids) WITH ORDINALITY AS e (id, number) LEFT JOIN placed AS p ON p.id = e.id;

    IF 0 = ANY (places) THEN
        SELECT array_agg(CASE WHEN reason = 1 THEN last_sequence ELSE place END ORDER BY number), array_agg(reason ORDER BY number)
        INTO places, refusals
        FROM (
            SELECT e.number, e.place, m.last_sequence,
                   CASE
                       WHEN e.place > 0 THEN 0
                       WHEN r.recipient = e.mailbox AND r.size = e.size
                            AND r.checksum & 4294967295 = e.checksum & 4294967295 THEN 1
                       WHEN r.owner IS NOT NULL THEN 2
                       WHEN m.closed <> 0 THEN 3
                       WHEN e.epoch > 0 AND e.epoch < (SELECT s.epoch FROM presence AS s WHERE s.account_id = e.owner) THEN 5
                       ELSE 4
                   END::bigint AS reason
            FROM unnest(places, p_mailbox, p_message, p_size, p_owner, p_checksum, p_epoch)
                WITH ORDINALITY AS e (place, mailbox, message, size, owner, checksum, epoch, number)
            JOIN mailbox AS m ON m.account_id = e.mailbox
            LEFT JOIN recent_id AS r ON r.owner = e.owner AND r.message_id = e.message
        ) AS judged;
    END IF;

    -- Of these owners the node has written as many ids as are to be remembered: what is older goes.
    IF cardinality(p_trim) > 0 THEN
        DELETE FROM recent_id AS r
        USING (
            SELECT owner, (
                SELECT slot FROM recent_id WHERE recent_id.owner = old.owner ORDER BY slot DESC
                OFFSET CASE WHEN old.owner > 0 THEN 256 ELSE 1024 END LIMIT 1
            ) AS newest
            FROM unnest(p_trim) AS old (owner)
        ) AS old
        WHERE r.owner = old.owner AND r.slot <= old.newest;
    END IF;
END
$$;

-- How far traffic and changes have come, for whoever follows them by number. Batches of several nodes get their numbers in one order
-- and are committed in another; so this waits for those that are under way, and no number that is not visible yet is below it.
CREATE FUNCTION newest(OUT message bigint, OUT change bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1651663970, 2);
    message := coalesce((SELECT max(t.id) FROM traffic AS t), 0);
    change := coalesce((SELECT max(c.number) FROM change AS c), 0);
END
$$;
