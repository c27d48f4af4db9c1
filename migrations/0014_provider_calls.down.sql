-- nova: calls of providers, and what they cost
-- nova:phase=contract

CREATE OR REPLACE FUNCTION erase_user(p_user text, p_salt text) RETURNS boolean
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
DROP TABLE provider_calls;
DROP TYPE call_outcome;
