-- nova: claims without progress

CREATE OR REPLACE FUNCTION claim_job(p_job uuid, p_tool text, p_lease interval) RETURNS SETOF jobs
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  UPDATE jobs
     SET state = 'running', fence = fence + 1, attempts = attempts + 1, lease_until = now() + p_lease,
         started_at = coalesce(started_at, now())
   WHERE id = p_job AND tool = p_tool AND due_at <= now()
     AND (state = 'queued' OR (state = 'running' AND lease_until <= now()))
  RETURNING *;
END;
COMMENT ON COLUMN jobs.attempts IS 'Claims that count against the limit; a worker that stopped in good order does not.';
ALTER TABLE job_items DROP COLUMN settled_by;
