-- nova: the life of blobs, and erasure

-- A blob moves one way only, whoever writes.
CREATE FUNCTION blob_state_moved() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT (OLD.state = 'pending' AND NEW.state IN ('committed', 'deleting')
       OR OLD.state = 'committed' AND NEW.state = 'deleting'
       OR OLD.state = 'deleting' AND NEW.state = 'deleted') THEN
    RAISE EXCEPTION 'blob % cannot go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'NV006';
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION blob_state_moved() IS 'Refuses a blob''s way back: pending, committed, deleting, deleted.';
REVOKE ALL ON FUNCTION blob_state_moved() FROM PUBLIC;
CREATE TRIGGER state_moved AFTER UPDATE OF state ON blobs
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION blob_state_moved();

-- A foreign key alone does not protect a blob from the sweeper: its lock does not conflict with
-- a change of state. So a row can only come to point at a blob through this trigger, whose
-- update waits for a sweeper at work, then looks at the state again, and takes the blob off the
-- sweeper's list in the same moment.
CREATE FUNCTION link_blob(blob uuid, owner text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE blobs b SET sweep_at = NULL WHERE b.id = blob AND b.user_id = owner AND b.state = 'committed';
  IF NOT FOUND THEN
    RAISE EXCEPTION 'blob % is not committed', blob USING ERRCODE = 'NV004';
  END IF;
END $$;
COMMENT ON FUNCTION link_blob(uuid, text) IS 'Holds a committed blob for a row that is about to point at it.';
REVOKE ALL ON FUNCTION link_blob(uuid, text) FROM PUBLIC;

-- Sends a blob that nothing points at any more to the sweeper, late enough for a download that
-- began before to end. Two statements on purpose: the references are read in a snapshot taken
-- after the lock, so that a link made meanwhile is seen.
CREATE FUNCTION release_blob(blob uuid, owner text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM 1 FROM blobs b WHERE b.id = blob AND b.user_id = owner FOR UPDATE;
  UPDATE blobs b SET state = 'deleting', sweep_at = now() + interval '10 minutes'
   WHERE b.id = blob AND b.user_id = owner AND b.state = 'committed'
     AND NOT EXISTS (SELECT FROM sources s WHERE s.user_id = owner AND s.blob_id = blob)
     AND NOT EXISTS (SELECT FROM articles a WHERE a.user_id = owner AND a.guideline_blob_id = blob)
     AND NOT EXISTS (SELECT FROM articles a WHERE a.user_id = owner AND a.research_blob_id = blob);
END $$;
COMMENT ON FUNCTION release_blob(uuid, text) IS 'Sends a blob to the sweeper if nothing points at it any more.';
REVOKE ALL ON FUNCTION release_blob(uuid, text) FROM PUBLIC;

CREATE FUNCTION article_blobs_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    PERFORM release_blob(OLD.guideline_blob_id, OLD.user_id);
    IF OLD.research_blob_id IS NOT NULL THEN
      PERFORM release_blob(OLD.research_blob_id, OLD.user_id);
    END IF;
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    PERFORM link_blob(NEW.guideline_blob_id, NEW.user_id);
  END IF;
  IF NEW.research_blob_id IS NOT NULL THEN
    PERFORM link_blob(NEW.research_blob_id, NEW.user_id);
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.research_blob_id IS NOT NULL THEN
    PERFORM release_blob(OLD.research_blob_id, OLD.user_id);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION article_blobs_changed() IS 'Links and releases the blobs of an article.';
REVOKE ALL ON FUNCTION article_blobs_changed() FROM PUBLIC;
CREATE TRIGGER blobs_changed AFTER INSERT OR DELETE ON articles
  FOR EACH ROW EXECUTE FUNCTION article_blobs_changed();
CREATE TRIGGER research_replaced AFTER UPDATE OF research_blob_id ON articles
  FOR EACH ROW WHEN (OLD.research_blob_id IS DISTINCT FROM NEW.research_blob_id) EXECUTE FUNCTION article_blobs_changed();

CREATE FUNCTION source_blob_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'DELETE' THEN
    PERFORM link_blob(NEW.blob_id, NEW.user_id);
  END IF;
  IF TG_OP <> 'INSERT' THEN
    PERFORM release_blob(OLD.blob_id, OLD.user_id);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION source_blob_changed() IS 'Links and releases the blob of a source.';
REVOKE ALL ON FUNCTION source_blob_changed() FROM PUBLIC;
CREATE TRIGGER blob_changed AFTER INSERT OR DELETE ON sources
  FOR EACH ROW EXECUTE FUNCTION source_blob_changed();
CREATE TRIGGER blob_replaced AFTER UPDATE OF blob_id ON sources
  FOR EACH ROW WHEN (OLD.blob_id IS DISTINCT FROM NEW.blob_id) EXECUTE FUNCTION source_blob_changed();

-- The sweeper's work, for any number of sweepers at once: rows whose time has come are taken
-- with SKIP LOCKED and put off with growing distance, so that a sweeper that dies is succeeded
-- by the next. Two statements, as in release_blob. What it returns has to have its object
-- deleted (gone already counts), and then blob_deleted() called.
CREATE FUNCTION claim_dead_blobs(p_limit bigint) RETURNS SETOF blobs
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  due uuid[];
BEGIN
  SELECT array_agg(b.id) INTO due FROM (
    SELECT d.id FROM blobs d WHERE d.sweep_at < now()
     ORDER BY d.sweep_at LIMIT p_limit FOR UPDATE SKIP LOCKED) b;
  RETURN QUERY
  UPDATE blobs b
     SET state = CASE b.state WHEN 'deleted' THEN b.state ELSE 'deleting' END,
         delete_attempts = b.delete_attempts + 1,
         sweep_at = now() + least(interval '1 day', interval '1 minute' * power(2, least(b.delete_attempts, 11)))
   WHERE b.id = ANY (due)
     AND (b.state <> 'committed' OR NOT EXISTS (SELECT FROM sources s WHERE s.user_id = b.user_id AND s.blob_id = b.id)
                                AND NOT EXISTS (SELECT FROM articles a WHERE a.user_id = b.user_id AND a.guideline_blob_id = b.id)
                                AND NOT EXISTS (SELECT FROM articles a WHERE a.user_id = b.user_id AND a.research_blob_id = b.id))
  RETURNING b.*;
END $$;
COMMENT ON FUNCTION claim_dead_blobs(bigint) IS 'Blobs whose objects have to be deleted now, taken for this sweeper.';
REVOKE ALL ON FUNCTION claim_dead_blobs(bigint) FROM PUBLIC;

-- The first time the row becomes a tombstone, because an upload that was cut off may still put
-- the object there: it is deleted once more after the longest life of an upload session. The
-- second time the row goes.
CREATE FUNCTION blob_deleted(p_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE blobs SET state = 'deleted', deleted_at = clock_timestamp(), sweep_at = now() + interval '8 days',
                   delete_attempts = 0, upload_session = NULL
   WHERE id = p_id AND state = 'deleting';
  IF FOUND THEN
    RETURN false;
  END IF;
  -- Only a claimed tombstone: one that nobody has looked at again since has made no attempt.
  DELETE FROM blobs WHERE id = p_id AND state = 'deleted' AND delete_attempts > 0;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION blob_deleted(uuid) IS 'Notes that a claimed blob''s object is gone; true once the row is gone too.';
REVOKE ALL ON FUNCTION blob_deleted(uuid) FROM PUBLIC;

-- Forgets a user. To be called again until it says so: a transaction that was under way at the
-- first call may still have added something, and the objects go only when the sweeper has been.
-- Usage keeps its numbers under a salted hash; the person is gone.
CREATE FUNCTION erase_user(p_user text, p_salt text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  nobody constant text := 'erased:' || encode(sha256(convert_to(p_salt || p_user, 'UTF8')), 'hex');
BEGIN
  UPDATE users SET erasing_since = coalesce(erasing_since, now()) WHERE user_id = p_user;
  DELETE FROM articles WHERE user_id = p_user;
  -- At once, also what the articles have just released; what a sweeper has begun is left to it.
  UPDATE blobs SET state = 'deleting', sweep_at = now()
   WHERE user_id = p_user AND state <> 'deleted' AND delete_attempts = 0;
  -- Counters first: their lock makes a charge that is under way end before its rows are looked for.
  WITH gone AS (DELETE FROM usage_counters WHERE user_id = p_user RETURNING year_month, used, refunded)
  INSERT INTO usage_counters AS kept (user_id, year_month, used, refunded)
  SELECT nobody, gone.year_month, gone.used, gone.refunded FROM gone
  ON CONFLICT (user_id, year_month) DO UPDATE
     SET used = kept.used + excluded.used, refunded = kept.refunded + excluded.refunded;
  UPDATE tool_call_usage SET user_id = nobody, article_id = NULL WHERE user_id = p_user;
  UPDATE tool_call_refunds SET user_id = nobody, article_id = NULL WHERE user_id = p_user;
  -- The row stays while a tombstone does, and longer than any transaction lasts, to refuse latecomers.
  DELETE FROM users WHERE user_id = p_user AND erasing_since < now() - interval '10 minutes'
     AND NOT EXISTS (SELECT FROM blobs WHERE user_id = p_user);
  RETURN NOT EXISTS (SELECT FROM users WHERE user_id = p_user);
END $$;
COMMENT ON FUNCTION erase_user(text, text) IS 'Erases a user, in as many calls as it takes; true once nothing is left.';
REVOKE ALL ON FUNCTION erase_user(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION claim_dead_blobs(bigint), blob_deleted(uuid), erase_user(text, text) TO nova_sweeper;
