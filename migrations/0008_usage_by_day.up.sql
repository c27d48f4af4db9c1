-- nova: usage by day
-- nova:no-transaction

-- For reports and exports of a day or a month: calls come in the order of time, so that a block
-- range index finds them, at a thousandth of the size and the write cost of a b-tree.
CREATE INDEX CONCURRENTLY tool_call_usage_created ON tool_call_usage USING brin (created_at);
