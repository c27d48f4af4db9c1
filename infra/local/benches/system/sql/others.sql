-- What other people did before: in an empty database the planner reads whole tables, and keeps to it
-- while they grow.
SET session_replication_role = replica;
INSERT INTO users (user_id) SELECT 'other ' || n FROM generate_series(1, 1000) n;
INSERT INTO blobs (id, user_id, purpose, bucket, object_name, content_type, state, size, crc32c, generation, committed_at, sweep_at)
SELECT ('00000000-0000-7000-8004-' || lpad(to_hex(n), 12, '0'))::uuid, 'other ' || (n % 1000 + 1), 'guideline', 'nova-local',
       'v1/others/' || n, 'text/markdown', 'committed', 1, '\x00000000', 1, now(), NULL
  FROM generate_series(1, 30000) n;
INSERT INTO articles (id, user_id, title, guideline_blob_id, created_at)
SELECT id, user_id, 'An article', id, now() - random() * interval '1 year' FROM blobs LIMIT 10000;
INSERT INTO article_status_history (article_id, seq, user_id, to_status) SELECT id, 1, user_id, 'created' FROM articles;
INSERT INTO tool_call_usage (id, user_id, tool_name, year_month)
SELECT gen_random_uuid(), 'other ' || (n % 1000 + 1), 'tool', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')
  FROM generate_series(1, 20000) n;
INSERT INTO usage_counters (user_id, year_month, used)
SELECT user_id, year_month, count(*) FROM tool_call_usage GROUP BY 1, 2;
RESET session_replication_role;
