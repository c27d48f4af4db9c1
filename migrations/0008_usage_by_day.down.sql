-- nova: usage by day
-- nova:no-transaction

DROP INDEX CONCURRENTLY tool_call_usage_created;
