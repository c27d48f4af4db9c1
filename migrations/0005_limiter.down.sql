-- nova: the limiter
-- nova:phase=contract

DROP FUNCTION refund_tool_call(uuid, text);
DROP FUNCTION charge_tool_call(text, uuid, bigint, uuid);
DROP FUNCTION ensure_user();
DROP FUNCTION monthly_limit(bigint, timestamptz, bigint, bigint);
DROP FUNCTION app_user();
