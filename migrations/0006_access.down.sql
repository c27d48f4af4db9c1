-- nova: row level security and grants
-- nova:phase=contract

-- Grants name the same roles as the up file; every table and view of ours loses all of them.
REVOKE ALL ON users, tiers, articles, article_status_history, article_status_transitions, blobs, sources,
  research_queries, research_sources, tool_call_usage, usage_counters, tool_call_refunds,
  local_files, scraped_urls, github_ingests, youtube_transcripts, scraped_research_urls, usage_drift
  FROM nova_upload, nova_research, nova_download, nova_articles, nova_usage, nova_analytics, nova_sweeper;
REVOKE ALL ON FUNCTION app_user(), ensure_user(), charge_tool_call(text, uuid, bigint, uuid), refund_tool_call(uuid, text),
  monthly_limit(bigint, timestamptz, bigint, bigint)
  FROM nova_upload, nova_research, nova_download, nova_articles, nova_usage, nova_analytics, nova_sweeper;

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'users', 'articles', 'article_status_history', 'blobs', 'sources', 'research_queries',
    'research_sources', 'tool_call_usage', 'usage_counters', 'tool_call_refunds'
  ] LOOP
    EXECUTE format('DROP POLICY tenant ON %I', tenant_table);
    EXECUTE format('DROP POLICY analytics ON %I', tenant_table);
    EXECUTE format('DROP POLICY sweeper ON %I', tenant_table);
    EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', tenant_table);
  END LOOP;
END $$;
