-- nova: how long ago a call was charged

-- A client's key stands for its call for a while only, and functions may not read usage.
CREATE FUNCTION call_charged_at(p_call uuid) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  SELECT x.created_at FROM tool_call_usage x WHERE x.id = p_call AND x.user_id = app_user();
END;
COMMENT ON FUNCTION call_charged_at(uuid) IS 'When a call of the tenant was charged; NULL if it was not, or was given back.';
REVOKE ALL ON FUNCTION call_charged_at(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION call_charged_at(uuid) TO nova_research;
