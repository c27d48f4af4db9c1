-- What one call of extract_guidelines_urls says to the database; the statements and their names are
-- nova-store's. The article of each client was made beforehand;
-- `urls` is what the tool found in it, as the JSON text that it sends.
\set call random(1, 281474976710655)
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL app.user_id = 'u:client_id';
SET LOCAL app.tool = 'extract_guidelines_urls';
SET LOCAL app.call_id = '00000000-0000-7000-8003-000000000000';
\endpipeline
-- articles: one
SELECT a.status::text, a.title, a.extracted_urls, a.version, a.created_at, a.updated_at,
       g.id, g.bucket, g.object_name, g.content_type, g.size, g.crc32c, g.generation,
       r.id, r.bucket, r.object_name, r.content_type, r.size, r.crc32c, r.generation
  FROM articles a
  JOIN blobs g ON g.user_id = a.user_id AND g.id = a.guideline_blob_id
  LEFT JOIN blobs r ON r.user_id = a.user_id AND r.id = a.research_blob_id
 WHERE a.id = ('00000000-0000-7000-8002-' || lpad(to_hex(:client_id::bigint), 12, '0'))::uuid AND a.user_id = 'u' || :client_id;
-- usage: charge
SELECT allowed, replayed, reason, used, max_calls, year_month, resets_at, extract(epoch FROM retry_at - now())::float8
  FROM charge_tool_call('extract_guidelines_urls', ('00000000-0000-7000-8003-' || lpad(to_hex(:call::bigint), 12, '0'))::uuid, 0,
                        ('00000000-0000-7000-8002-' || lpad(to_hex(:client_id::bigint), 12, '0'))::uuid);
COMMIT;
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL app.user_id = 'u:client_id';
SET LOCAL app.tool = 'extract_guidelines_urls';
SET LOCAL app.call_id = '00000000-0000-7000-8003-000000000000';
\endpipeline
-- articles: save extracted urls
UPDATE articles a
   SET extracted_urls = :urls::jsonb,
       status = CASE WHEN EXISTS (SELECT 1 FROM article_status_transitions t
                                   WHERE t.from_status = a.status AND t.to_status = 'extracting_urls')
                     THEN 'extracting_urls' ELSE a.status END
 WHERE a.id = ('00000000-0000-7000-8002-' || lpad(to_hex(:client_id::bigint), 12, '0'))::uuid AND a.user_id = 'u' || :client_id;
COMMIT;
