-- What one upload says to the database; the statements and their names are nova-store's.
\set blob random(1, 281474976710655)
\set article random(1, 281474976710655)
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL app.user_id = 'u:client_id';
\endpipeline
-- blobs: begin
INSERT INTO blobs (id, user_id, purpose, bucket, object_name, content_type, declared_size)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(:blob::bigint), 12, '0'))::uuid, me, 'guideline', 'nova-local',
       'v1/pgbench/' || :client_id || '/' || :blob, 'text/markdown; charset=utf-8', 10000
  FROM ensure_user() AS me WHERE me = 'u' || :client_id
ON CONFLICT (id) DO UPDATE SET sweep_at = excluded.sweep_at
 WHERE blobs.user_id = excluded.user_id AND blobs.state = 'pending'
   AND blobs.bucket = excluded.bucket AND blobs.object_name = excluded.object_name
RETURNING id;
COMMIT;
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL app.user_id = 'u:client_id';
\endpipeline
-- blobs: commit
UPDATE blobs
   SET state = 'committed', size = 10000, crc32c = '\x01020304', sha256 = coalesce(sha256('x'), sha256), generation = 1,
       committed_at = clock_timestamp(), sweep_at = now() + interval '7 days'
 WHERE id = ('00000000-0000-7000-8000-' || lpad(to_hex(:blob::bigint), 12, '0'))::uuid
   AND user_id = 'u' || :client_id AND state = 'pending' AND (declared_size IS NULL OR declared_size = 10000);
-- articles: create
INSERT INTO articles (id, user_id, title, guideline_blob_id, idempotency_key)
SELECT ('00000000-0000-7000-8001-' || lpad(to_hex(:article::bigint), 12, '0'))::uuid, me, 'A guideline of ordinary size',
       ('00000000-0000-7000-8000-' || lpad(to_hex(:blob::bigint), 12, '0'))::uuid, NULL
  FROM ensure_user() AS me WHERE me = 'u' || :client_id
ON CONFLICT DO NOTHING RETURNING id;
COMMIT;
