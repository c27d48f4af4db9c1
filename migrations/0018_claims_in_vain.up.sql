-- nova: claims without progress

-- A job that gets further with every claim is not given up, however often it is interrupted: only
-- claims in a row that settled no piece count against the limit. There are as many others as there
-- are pieces, so that every job ends.
ALTER TABLE job_items ADD COLUMN settled_by bigint;
COMMENT ON COLUMN job_items.settled_by IS 'The claim (jobs.fence) that settled it; NULL = pending, or settled by a program that did not say so.';
GRANT UPDATE (settled_by) ON job_items TO nova_research;
COMMENT ON COLUMN jobs.attempts IS 'Claims in a row that settled no piece, the present one included; a worker that stopped in good order does not count.';

CREATE OR REPLACE FUNCTION claim_job(p_job uuid, p_tool text, p_lease interval) RETURNS SETOF jobs
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  UPDATE jobs
     SET state = 'running', fence = fence + 1, lease_until = now() + p_lease,
         attempts = 1 + CASE WHEN EXISTS (SELECT 1 FROM job_items i WHERE i.job_id = jobs.id AND i.settled_by = jobs.fence)
                             THEN 0 ELSE attempts END,
         started_at = coalesce(started_at, now())
   WHERE id = p_job AND tool = p_tool AND due_at <= now()
     AND (state = 'queued' OR (state = 'running' AND lease_until <= now()))
  RETURNING *;
END;
