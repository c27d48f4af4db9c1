-- nova: old usage is forgotten where that is wanted

-- Whole months of a user, so that counters equal the rows that they count at any moment.
CREATE FUNCTION forget_usage(p_months bigint, p_limit bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  WITH gone AS (
    DELETE FROM usage_counters c USING (
      SELECT o.user_id, o.year_month FROM usage_counters o
       WHERE o.year_month < to_char((now() AT TIME ZONE 'UTC') - make_interval(months => p_months::integer), 'YYYY-MM')
       ORDER BY o.year_month LIMIT p_limit FOR UPDATE SKIP LOCKED) AS old
     WHERE c.user_id = old.user_id AND c.year_month = old.year_month
    RETURNING c.user_id, c.year_month),
  calls AS (DELETE FROM tool_call_usage x USING gone WHERE x.user_id = gone.user_id AND x.year_month = gone.year_month),
  refunds AS (DELETE FROM tool_call_refunds r USING gone WHERE r.user_id = gone.user_id AND r.year_month = gone.year_month)
  SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION forget_usage(bigint, bigint) IS 'Deletes the usage of months that ended more than p_months months ago, at most p_limit months of users; answers how many.';
REVOKE ALL ON FUNCTION forget_usage(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_usage(bigint, bigint) TO nova_sweeper;
