-- nova: row level security and grants

-- Tenancy, the second time: every query names the owner, and whatever a query forgets is
-- refused here. The comparison is with a sub-select, so that app_user() is evaluated once per
-- statement and not once per row. The owner of the tables is exempt: the functions that run
-- as their owner name the tenant themselves.
DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'users', 'articles', 'article_status_history', 'blobs', 'sources', 'research_queries',
    'research_sources', 'tool_call_usage', 'usage_counters', 'tool_call_refunds'
  ] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY tenant ON %I
      TO nova_upload, nova_research, nova_download, nova_articles, nova_usage
      USING (user_id = (SELECT app_user())) WITH CHECK (user_id = (SELECT app_user()))', tenant_table);
    EXECUTE format('CREATE POLICY analytics ON %I FOR SELECT TO nova_analytics USING (true)', tenant_table);
    EXECUTE format('CREATE POLICY sweeper ON %I FOR SELECT TO nova_sweeper USING (true)', tenant_table);
  END LOOP;
END $$;

GRANT EXECUTE ON FUNCTION app_user() TO nova_upload, nova_research, nova_download, nova_articles, nova_usage;

-- Uploads.
GRANT EXECUTE ON FUNCTION ensure_user() TO nova_upload;
GRANT SELECT, INSERT (id, user_id, title, guideline_blob_id, idempotency_key) ON articles TO nova_upload;
GRANT SELECT,
      INSERT (id, user_id, purpose, bucket, object_name, content_type, declared_size, upload_session),
      UPDATE (state, size, crc32c, sha256, generation, committed_at, sweep_at, upload_session) ON blobs TO nova_upload;
GRANT SELECT, INSERT (id, user_id, article_id, kind, source_key, position, url, filename, blob_id),
      UPDATE (position, url, filename, blob_id) ON sources TO nova_upload;

-- Tools. No upload_session, which is a secret of the uploads; no counters; nothing is deleted.
GRANT EXECUTE ON FUNCTION ensure_user(), charge_tool_call(text, uuid, bigint, uuid), refund_tool_call(uuid, text),
  monthly_limit(bigint, timestamptz, bigint, bigint) TO nova_research;
GRANT SELECT, UPDATE (status, title, research_blob_id, extracted_urls, next_source_no) ON articles TO nova_research;
GRANT SELECT ON article_status_transitions, article_status_history, users, tiers, usage_counters TO nova_research;
GRANT SELECT (id, user_id, purpose, bucket, object_name, content_type, state, declared_size, size, crc32c, sha256, generation,
              created_at, committed_at, deleted_at, sweep_at),
      INSERT (id, user_id, purpose, bucket, object_name, content_type, declared_size),
      UPDATE (state, size, crc32c, sha256, generation, committed_at, sweep_at) ON blobs TO nova_research;
GRANT SELECT, INSERT (id, user_id, article_id, kind, source_key, position, url, filename, blob_id),
      UPDATE (position, url, filename, blob_id) ON sources TO nova_research;
GRANT SELECT, INSERT (id, user_id, article_id, call_id, position, query) ON research_queries TO nova_research;
GRANT SELECT, INSERT (article_id, source_no, user_id, query_id, url, answer),
      UPDATE (selected, selected_at, scrape_rank) ON research_sources TO nova_research;

-- Downloads.
GRANT SELECT ON articles TO nova_download;
GRANT SELECT (id, user_id, purpose, bucket, object_name, content_type, state, size, crc32c, sha256, generation, committed_at)
  ON blobs TO nova_download;

-- List, show, erase. What hangs on an article goes with it; its blobs are released by trigger.
GRANT SELECT, DELETE ON articles TO nova_articles;
GRANT SELECT ON article_status_history, sources TO nova_articles;
GRANT SELECT (id, user_id, purpose, bucket, object_name, content_type, state, size, crc32c, sha256, generation, committed_at)
  ON blobs TO nova_articles;

-- One's own usage.
GRANT EXECUTE ON FUNCTION monthly_limit(bigint, timestamptz, bigint, bigint) TO nova_usage;
GRANT SELECT ON users, tiers, usage_counters TO nova_usage;

-- Reports over everybody, read only, without contents. (A login's time limit for statements is
-- set on the login itself: settings of a group are not inherited.)
GRANT SELECT ON users, tiers, articles, article_status_history, article_status_transitions, sources,
  local_files, scraped_urls, github_ingests, youtube_transcripts, scraped_research_urls,
  tool_call_usage, usage_counters, tool_call_refunds, usage_drift TO nova_analytics;
GRANT EXECUTE ON FUNCTION monthly_limit(bigint, timestamptz, bigint, bigint) TO nova_analytics;

-- The sweeper sees what it may have to clean up; it changes rows through functions only.
GRANT SELECT ON users, blobs TO nova_sweeper;
