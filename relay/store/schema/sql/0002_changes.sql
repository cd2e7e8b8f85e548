-- Every change of what the nodes keep in memory is noted in the transaction that makes it: by the database, so that nobody can
-- forget to, and whoever made it.
--
-- It is noted at the end of the transaction, under a lock that is held until it is committed. So a lower number is never visible
-- after a higher one, and whoever has followed up to a number has missed nothing below it. At the end: so that this lock is
-- always the last that is taken, and no two transactions wait for one another because of it.
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1651663970, 1);
    INSERT INTO change (kind, key, noted_at)
    VALUES (TG_ARGV[0], to_jsonb(NEW) ->> TG_ARGV[1], extract(epoch FROM clock_timestamp())::bigint);
    NOTIFY blindrelay_change;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER note_tenant AFTER INSERT OR UPDATE OF root, jurisdiction ON tenant
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change('tenant', 'name');

CREATE CONSTRAINT TRIGGER note_device AFTER INSERT OR UPDATE OF certificate, statement ON device
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change('device', 'account_id');

CREATE CONSTRAINT TRIGGER note_revocation AFTER INSERT OR UPDATE ON revocation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change('revocation', 'fingerprint');

CREATE CONSTRAINT TRIGGER note_service AFTER INSERT ON service_change
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change('service', 'id');

CREATE CONSTRAINT TRIGGER note_notice AFTER INSERT ON notice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change('notice', 'id');

-- A session or an inbox that a node had, and that another one has now.
CREATE CONSTRAINT TRIGGER note_session AFTER UPDATE OF session_node ON presence
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.session_node <> 0 AND NEW.session_node <> 0 AND NEW.session_node <> OLD.session_node)
    EXECUTE FUNCTION note_change('session', 'account_id');

CREATE CONSTRAINT TRIGGER note_reader AFTER UPDATE OF reader ON presence
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.reader <> 0 AND NEW.reader <> 0 AND NEW.reader <> OLD.reader)
    EXECUTE FUNCTION note_change('reader', 'account_id');

-- A checkpoint has been published.
CREATE FUNCTION note_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY blindrelay_log;
    RETURN NULL;
END
$$;

CREATE TRIGGER note_checkpoint AFTER INSERT OR UPDATE ON log_head
    FOR EACH STATEMENT EXECUTE FUNCTION note_checkpoint();

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
