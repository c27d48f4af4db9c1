-- nova: the limiter

-- The tenant of the running transaction. NULL when it was never set, and also when a pooled
-- connection has set it before: after a transaction such a setting is '' and not NULL.
CREATE FUNCTION app_user() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.user_id', true), '');
COMMENT ON FUNCTION app_user() IS 'User on whose behalf this transaction runs (app.user_id); NULL = none, and then no row is visible.';
REVOKE ALL ON FUNCTION app_user() FROM PUBLIC;

-- The one place that knows what a limit is: an override that has not ended, else the tier's,
-- else the deployment's; 0 in any of them means unlimited, which is NULL from here on.
CREATE FUNCTION monthly_limit(override bigint, override_until timestamptz, tier_limit bigint, default_limit bigint)
RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(coalesce(
  CASE WHEN override_until IS NULL OR override_until > now() THEN override END,
  tier_limit, default_limit), 0);
COMMENT ON FUNCTION monthly_limit(bigint, timestamptz, bigint, bigint) IS 'Tool calls a user may make in a month; NULL = unlimited.';
REVOKE ALL ON FUNCTION monthly_limit(bigint, timestamptz, bigint, bigint) FROM PUBLIC;

-- The row that everything of a user hangs on, made when it is missing. Refuses whoever is being erased.
CREATE FUNCTION ensure_user() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  me constant text := app_user();
  erasing timestamptz;
BEGIN
  IF me IS NULL THEN
    RAISE EXCEPTION 'app.user_id is not set' USING ERRCODE = 'NV003';
  END IF;
  SELECT u.erasing_since INTO erasing FROM users u WHERE u.user_id = me;
  IF NOT FOUND THEN
    INSERT INTO users (user_id) VALUES (me) ON CONFLICT (user_id) DO NOTHING;
  ELSIF erasing IS NOT NULL THEN
    RAISE EXCEPTION 'this user is being erased' USING ERRCODE = 'NV005';
  END IF;
  RETURN me;
END $$;
COMMENT ON FUNCTION ensure_user() IS 'The tenant''s id, after making sure that its row in users exists.';
REVOKE ALL ON FUNCTION ensure_user() FROM PUBLIC;

-- Charges one tool call to the tenant: one statement, one round trip, exact however many come
-- at once, and as fast in a user's millionth call as in the first. The counter's upsert decides
-- under the row's lock on the row's latest version; nothing is counted.
CREATE FUNCTION charge_tool_call(
  p_tool text, p_call uuid, p_default_limit bigint, p_article uuid DEFAULT NULL,
  OUT allowed boolean, OUT replayed boolean, OUT reason text, OUT used bigint, OUT max_calls bigint,
  OUT year_month text, OUT resets_at timestamptz, OUT retry_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  me constant text := ensure_user();
  at constant timestamptz := now();
  month constant text := to_char(at AT TIME ZONE 'UTC', 'YYYY-MM');
  spacing interval;   -- time between calls at the sustained rate; NULL = no burst limit
  slack interval;     -- how far ahead of that rate a burst may run
  busy_until timestamptz;
BEGIN
  year_month := month;
  resets_at := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
  SELECT monthly_limit(u.monthly_calls_override, u.override_until, t.monthly_calls, p_default_limit),
         t.burst_interval / t.burst_calls, t.burst_interval - t.burst_interval / t.burst_calls
    INTO STRICT max_calls, spacing, slack
    FROM users u JOIN tiers t USING (tier) WHERE u.user_id = me;

  -- The same call again, within the limit or not: it was paid for.
  SELECT true, true INTO allowed, replayed FROM tool_call_usage x WHERE x.id = p_call AND x.user_id = me;
  IF FOUND THEN
    SELECT coalesce(max(c.used), 0) INTO used FROM usage_counters c WHERE c.user_id = me AND c.year_month = month;
    RETURN;
  END IF;
  allowed := false;
  replayed := false;

  INSERT INTO usage_counters AS c (user_id, year_month, used, burst_free_at)
  VALUES (me, month, 1, at + coalesce(spacing, '0'))
  ON CONFLICT (user_id, year_month) DO UPDATE
     SET used = c.used + 1,
         updated_at = at,
         burst_free_at = CASE WHEN spacing IS NULL THEN c.burst_free_at ELSE greatest(c.burst_free_at, at) + spacing END
   WHERE (max_calls IS NULL OR c.used < max_calls)
     AND (spacing IS NULL OR c.burst_free_at <= at + slack)
  RETURNING c.used INTO used;

  IF NOT FOUND THEN
    SELECT c.used, c.burst_free_at INTO used, busy_until
      FROM usage_counters c WHERE c.user_id = me AND c.year_month = month;
    -- Perhaps it was this very call that took the last unit, while this delivery of it waited.
    IF EXISTS (SELECT FROM tool_call_usage x WHERE x.id = p_call AND x.user_id = me) THEN
      allowed := true;
      replayed := true;
      RETURN;
    END IF;
    IF max_calls IS NOT NULL AND used >= max_calls THEN
      reason := 'monthly';
      retry_at := resets_at;
    ELSE
      reason := 'burst';
      retry_at := greatest(busy_until - slack, at);
    END IF;
    RETURN;
  END IF;

  allowed := true;
  INSERT INTO tool_call_usage (id, user_id, tool_name, year_month, article_id)
  VALUES (p_call, me, p_tool, month, (SELECT a.id FROM articles a WHERE a.id = p_article AND a.user_id = me))
  ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    -- The same call was charged while this one waited for the counter: give the unit back.
    PERFORM 1 FROM tool_call_usage x WHERE x.id = p_call AND x.user_id = me;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'call id % is taken', p_call USING ERRCODE = 'NV002';
    END IF;
    replayed := true;
    UPDATE usage_counters c SET used = c.used - 1
     WHERE c.user_id = me AND c.year_month = month RETURNING c.used INTO used;
  END IF;
END $$;
COMMENT ON FUNCTION charge_tool_call(text, uuid, bigint, uuid) IS 'Admits or refuses a tool call of the tenant and writes its usage row.';
REVOKE ALL ON FUNCTION charge_tool_call(text, uuid, bigint, uuid) FROM PUBLIC;

-- Gives a call back that failed by our fault: at most once, to the month it was charged to.
-- The counter is locked before the row, in the order of charge_tool_call, so that the two cannot deadlock.
CREATE FUNCTION refund_tool_call(p_call uuid, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  me constant text := app_user();
  month text;
BEGIN
  SELECT x.year_month INTO month FROM tool_call_usage x WHERE x.id = p_call AND x.user_id = me;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM 1 FROM usage_counters c WHERE c.user_id = me AND c.year_month = month FOR UPDATE;
  WITH given_back AS (
    DELETE FROM tool_call_usage x WHERE x.id = p_call AND x.user_id = me RETURNING x.*
  )
  INSERT INTO tool_call_refunds (call_id, user_id, tool_name, year_month, article_id, reason, charged_at)
  SELECT g.id, g.user_id, g.tool_name, g.year_month, g.article_id, p_reason, g.created_at FROM given_back g;
  IF NOT FOUND THEN
    RETURN false;   -- another refund of the same call came first
  END IF;
  UPDATE usage_counters c SET used = c.used - 1, refunded = c.refunded + 1, updated_at = now()
   WHERE c.user_id = me AND c.year_month = month;
  RETURN true;
END $$;
COMMENT ON FUNCTION refund_tool_call(uuid, text) IS 'Gives a charged call back; false if there is none of that id, or not any more.';
REVOKE ALL ON FUNCTION refund_tool_call(uuid, text) FROM PUBLIC;
