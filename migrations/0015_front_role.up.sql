-- nova: the role of small deployments
-- nova:as=session

-- front answers for all services but analytics in one process: it may do what their families may,
-- and has nothing of its own. nova_mcp is most of them. As in 0001, several databases of one cluster
-- may come here at once.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nova_front') THEN
    CREATE ROLE nova_front NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END $$;

DO $$
BEGIN
  FOR attempt IN 1..10 LOOP
    BEGIN
      IF pg_has_role('nova_front', 'nova_health', 'MEMBER') THEN
        RETURN;
      END IF;
      GRANT nova_mcp, nova_download, nova_health TO nova_front;
    EXCEPTION WHEN unique_violation OR internal_error THEN
      -- Another database of the cluster is granting the same at this moment.
      PERFORM pg_sleep(0.05);
    END;
  END LOOP;
  RAISE EXCEPTION 'nova_front could not be made a member of the families it serves';
END $$;
