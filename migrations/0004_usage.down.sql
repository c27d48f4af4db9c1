-- nova: usage and limits
-- nova:phase=contract

DROP VIEW usage_drift;
DROP TABLE tool_call_refunds, usage_counters, tool_call_usage;
