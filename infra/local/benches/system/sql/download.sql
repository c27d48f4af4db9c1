-- What one download says to the database; the statement and its name are nova-store's.
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL app.user_id = 'u:client_id';
\endpipeline
-- articles: one
SELECT a.status::text, a.title, a.extracted_urls, a.version, a.created_at, a.updated_at,
       g.id, g.bucket, g.object_name, g.content_type, g.size, g.crc32c, g.generation,
       r.id, r.bucket, r.object_name, r.content_type, r.size, r.crc32c, r.generation
  FROM articles a
  JOIN blobs g ON g.user_id = a.user_id AND g.id = a.guideline_blob_id
  LEFT JOIN blobs r ON r.user_id = a.user_id AND r.id = a.research_blob_id
 WHERE a.id = ('00000000-0000-7000-8002-' || lpad(to_hex(:client_id::bigint), 12, '0'))::uuid AND a.user_id = 'u' || :client_id;
ROLLBACK;
