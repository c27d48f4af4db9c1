-- nova: group roles
-- nova:as=session

-- One group role per family of functions. They cannot log in: each function's own login
-- (locally a plain role, in the cloud an IAM service account) is a member of exactly one.
-- Roles belong to the cluster, not to the database, and several databases of one cluster
-- may migrate at the same moment: whoever comes second finds the role and goes on.
DO $$
DECLARE
  family text;
BEGIN
  FOREACH family IN ARRAY ARRAY[
    'nova_upload',     -- upload_article_guideline, upload_local_files
    'nova_research',   -- the tools, and mcp
    'nova_download',   -- download_research
    'nova_articles',   -- articles: list, show, erase
    'nova_usage',      -- usage
    'nova_analytics',  -- analytics
    'nova_sweeper',    -- the scheduled job sweep
    'nova_health'      -- health
  ] LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = family) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', family);
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END $$;
