-- What one charge says to the database; the statement and its name are nova-store's.
\set call random(1, 281474976710655)
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL app.user_id = 'u:client_id';
\endpipeline
-- usage: charge
SELECT allowed, replayed, reason, used, max_calls, year_month, resets_at, extract(epoch FROM retry_at - now())::float8
  FROM charge_tool_call('extract_guidelines_urls', ('00000000-0000-7000-8003-' || lpad(to_hex(:call::bigint), 12, '0'))::uuid, 0, NULL);
COMMIT;
