-- nova: the role of the agents' endpoint
-- nova:as=session

-- mcp answers the routes of several functions in one process: it may do what their families may,
-- and has nothing of its own. As in 0001, several databases of one cluster may come here at once.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nova_mcp') THEN
    CREATE ROLE nova_mcp NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END $$;

DO $$
BEGIN
  FOR attempt IN 1..10 LOOP
    BEGIN
      IF pg_has_role('nova_mcp', 'nova_upload', 'MEMBER') THEN
        RETURN;
      END IF;
      GRANT nova_upload, nova_research, nova_articles, nova_usage TO nova_mcp;
    EXCEPTION WHEN unique_violation OR internal_error THEN
      -- Another database of the cluster is granting the same at this moment.
      PERFORM pg_sleep(0.05);
    END;
  END LOOP;
  RAISE EXCEPTION 'nova_mcp could not be made a member of the families it serves';
END $$;
