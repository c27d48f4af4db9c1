-- nova: jobs

CREATE TYPE job_state AS ENUM ('queued', 'running', 'succeeded', 'failed', 'cancelled');
COMMENT ON TYPE job_state IS 'Life of a job: queued until a worker claims it, running while one holds the lease, then one of the three ends.';
CREATE TYPE job_item_state AS ENUM ('pending', 'done', 'failed');
COMMENT ON TYPE job_item_state IS 'Life of one piece of a job''s work.';

CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  user_id text NOT NULL,
  article_id uuid NOT NULL,
  tool text NOT NULL CHECK (tool <> ''),
  dedupe_key bytea NOT NULL CHECK (octet_length(dedupe_key) = 32),
  arguments jsonb NOT NULL CHECK (jsonb_typeof(arguments) = 'object'),
  state job_state NOT NULL DEFAULT 'queued',
  fence bigint NOT NULL DEFAULT 0,
  attempts bigint NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL DEFAULT now(),
  rung_at timestamptz,
  lease_until timestamptz,
  cancel_requested boolean NOT NULL DEFAULT false,
  note text,
  result jsonb,
  error jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz,
  UNIQUE (user_id, id),
  FOREIGN KEY (user_id, article_id) REFERENCES articles (user_id, id) ON DELETE CASCADE,
  CONSTRAINT running_has_a_lease CHECK ((state = 'running') = (lease_until IS NOT NULL)),
  CONSTRAINT ended_has_a_time CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
  CONSTRAINT succeeded_has_a_result CHECK ((state = 'succeeded') = (result IS NOT NULL)),
  CONSTRAINT failed_has_an_error CHECK (state <> 'failed' OR error IS NOT NULL)
) WITH (fillfactor = 70);
COMMENT ON TABLE jobs IS 'Calls of tools that wait for a provider. The row is the truth: whoever holds its lease works, and every write carries the fence of the claim.';
COMMENT ON COLUMN jobs.id IS 'UUIDv7, made by the function; also the call id under which the job was charged.';
COMMENT ON COLUMN jobs.user_id IS 'Owner of the article.';
COMMENT ON COLUMN jobs.article_id IS 'Which article.';
COMMENT ON COLUMN jobs.tool IS 'Which tool.';
COMMENT ON COLUMN jobs.dedupe_key IS 'SHA-256 of tool, article, arguments and what the work goes by: the same call again is the same job.';
COMMENT ON COLUMN jobs.arguments IS 'The tool''s arguments beside the article.';
COMMENT ON COLUMN jobs.state IS 'How far it has come.';
COMMENT ON COLUMN jobs.fence IS 'Counts the claims; a write with an older number than this comes from a worker that was given up.';
COMMENT ON COLUMN jobs.attempts IS 'Claims that count against the limit; a worker that stopped in good order does not.';
COMMENT ON COLUMN jobs.due_at IS 'Not to be claimed before: now, or the end of a pause after a failure.';
COMMENT ON COLUMN jobs.rung_at IS 'When a worker was last called for it; NULL = not yet, and then the sweeper calls.';
COMMENT ON COLUMN jobs.lease_until IS 'The worker that holds the job is believed dead after this; NULL = nobody holds it.';
COMMENT ON COLUMN jobs.cancel_requested IS 'The user wants it to stop; what is done stays.';
COMMENT ON COLUMN jobs.note IS 'What it is doing, in words for the waiting user; NULL = nothing to say.';
COMMENT ON COLUMN jobs.result IS 'The tool''s answer; NULL unless succeeded.';
COMMENT ON COLUMN jobs.error IS 'The problem document; NULL unless failed.';
COMMENT ON COLUMN jobs.created_at IS 'When it was asked for and charged.';
COMMENT ON COLUMN jobs.started_at IS 'When it was first claimed; NULL = not yet.';
COMMENT ON COLUMN jobs.finished_at IS 'When it ended; NULL = not yet.';
-- One live job of a kind, however many ask at once.
CREATE UNIQUE INDEX jobs_live ON jobs (user_id, dedupe_key) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_recent ON jobs (user_id, dedupe_key, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_article ON jobs (user_id, article_id);
-- Exactly the work of whoever calls for workers, and of whoever clears up.
CREATE INDEX jobs_due ON jobs (due_at) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE job_items (
  job_id uuid NOT NULL,
  position bigint NOT NULL CHECK (position >= 0),
  user_id text NOT NULL,
  item_key text NOT NULL CHECK (item_key <> ''),
  state job_item_state NOT NULL DEFAULT 'pending',
  result jsonb,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  settled_at timestamptz,
  PRIMARY KEY (job_id, position),
  UNIQUE (job_id, item_key),
  FOREIGN KEY (user_id, job_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE,
  CONSTRAINT done_has_a_result CHECK ((state = 'done') = (result IS NOT NULL)),
  CONSTRAINT failed_item_has_an_error CHECK ((state = 'failed') = (error IS NOT NULL)),
  CONSTRAINT settled_has_a_time CHECK ((state = 'pending') = (settled_at IS NULL))
);
COMMENT ON TABLE job_items IS 'The pieces of a job: each is paid for once, and kept in the transaction that saves what was paid for.';
COMMENT ON COLUMN job_items.job_id IS 'Which job.';
COMMENT ON COLUMN job_items.position IS 'Place in the job''s list, from 0.';
COMMENT ON COLUMN job_items.user_id IS 'Owner of the job.';
COMMENT ON COLUMN job_items.item_key IS 'What the piece is: a normalised URL, a question, a segment of a video.';
COMMENT ON COLUMN job_items.state IS 'Pending ones are what a resumed job still has to do.';
COMMENT ON COLUMN job_items.result IS 'What the answer needs to know of it; NULL unless done.';
COMMENT ON COLUMN job_items.error IS 'Why it could not be done, in words for the user; NULL unless failed.';
COMMENT ON COLUMN job_items.created_at IS 'When the job''s work was listed.';
COMMENT ON COLUMN job_items.settled_at IS 'When it was done or given up; NULL = pending.';
CREATE INDEX job_items_owner ON job_items (user_id, job_id);

ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON jobs TO nova_upload, nova_research, nova_download, nova_articles, nova_usage
  USING (user_id = (SELECT app_user())) WITH CHECK (user_id = (SELECT app_user()));
CREATE POLICY tenant ON job_items TO nova_upload, nova_research, nova_download, nova_articles, nova_usage
  USING (user_id = (SELECT app_user())) WITH CHECK (user_id = (SELECT app_user()));
CREATE POLICY analytics ON jobs FOR SELECT TO nova_analytics USING (true);
CREATE POLICY analytics ON job_items FOR SELECT TO nova_analytics USING (true);
CREATE POLICY sweeper ON jobs FOR SELECT TO nova_sweeper USING (true);
CREATE POLICY sweeper ON job_items FOR SELECT TO nova_sweeper USING (true);

GRANT SELECT, INSERT (id, user_id, article_id, tool, dedupe_key, arguments),
      UPDATE (state, due_at, rung_at, lease_until, attempts, cancel_requested, note, result, error, finished_at) ON jobs TO nova_research;
GRANT SELECT, INSERT (job_id, position, user_id, item_key), UPDATE (state, result, error, settled_at) ON job_items TO nova_research;

-- A worker is called by the job's id alone and learns here whose it is; from then on it works
-- as that user, under row level security.
CREATE FUNCTION claim_job(p_job uuid, p_tool text, p_lease interval) RETURNS SETOF jobs
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  UPDATE jobs
     SET state = 'running', fence = fence + 1, attempts = attempts + 1, lease_until = now() + p_lease,
         started_at = coalesce(started_at, now())
   WHERE id = p_job AND tool = p_tool AND due_at <= now()
     AND (state = 'queued' OR (state = 'running' AND lease_until <= now()))
  RETURNING *;
END;
COMMENT ON FUNCTION claim_job(uuid, text, interval) IS 'Takes a job that is due and that nobody holds; no row if there is none.';
REVOKE ALL ON FUNCTION claim_job(uuid, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_job(uuid, text, interval) TO nova_research;

-- The outbox: jobs for which no worker was called since they became due, or whose worker died.
-- Marks them as called; any number may ask at once.
CREATE FUNCTION jobs_to_ring(p_grace interval, p_limit bigint) RETURNS TABLE (id uuid, tool text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  UPDATE jobs SET rung_at = now()
   WHERE jobs.id IN (
     SELECT j.id FROM jobs j
      WHERE j.state IN ('queued', 'running')
        AND j.due_at <= now() - p_grace
        AND (j.state = 'queued' OR j.lease_until <= now() - p_grace)
        AND (j.rung_at IS NULL OR j.rung_at < j.due_at OR j.rung_at < j.lease_until OR j.rung_at < now() - interval '1 minute')
      ORDER BY j.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
  RETURNING jobs.id, jobs.tool;
END;
COMMENT ON FUNCTION jobs_to_ring(interval, bigint) IS 'Jobs that have been waiting for a worker for longer than the grace; marked as called.';
REVOKE ALL ON FUNCTION jobs_to_ring(interval, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION jobs_to_ring(interval, bigint) TO nova_sweeper;

CREATE FUNCTION expire_jobs(p_age interval, p_limit bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  WITH gone AS (
    DELETE FROM jobs WHERE id IN (
      SELECT j.id FROM jobs j WHERE j.finished_at < now() - p_age ORDER BY j.finished_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
    RETURNING 1)
  SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION expire_jobs(interval, bigint) IS 'Deletes jobs that ended longer ago than p_age, with their items; answers how many.';
REVOKE ALL ON FUNCTION expire_jobs(interval, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expire_jobs(interval, bigint) TO nova_sweeper;
