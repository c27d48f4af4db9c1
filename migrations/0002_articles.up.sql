-- nova: users, tiers and articles

CREATE TYPE article_status AS ENUM (
  'created', 'extracting_urls', 'processing_sources', 'researching', 'selecting_sources',
  'scraping_research', 'finalizing', 'completed', 'failed');
COMMENT ON TYPE article_status IS 'How far the research for an article has come.';

CREATE TABLE tiers (
  tier text PRIMARY KEY,
  monthly_calls bigint CHECK (monthly_calls >= 0),
  burst_calls bigint CHECK (burst_calls > 0),
  burst_interval interval NOT NULL DEFAULT '1 minute' CHECK (burst_interval > '0'),
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tiers IS 'What a kind of user may do in a month. Changed by operators only.';
COMMENT ON COLUMN tiers.tier IS 'Name of the tier.';
COMMENT ON COLUMN tiers.monthly_calls IS 'Tool calls a month; 0 = unlimited; NULL = what the deployment says (MONTHLY_TOOL_CALL_LIMIT).';
COMMENT ON COLUMN tiers.burst_calls IS 'Calls that may come at once, and per burst_interval after that; NULL = no burst limit.';
COMMENT ON COLUMN tiers.burst_interval IS 'The time in which burst_calls become available again.';
COMMENT ON COLUMN tiers.created_at IS 'When the tier was added.';
INSERT INTO tiers (tier, monthly_calls) VALUES ('default', NULL), ('premium', 5000), ('unlimited', 0);

CREATE TABLE users (
  user_id text PRIMARY KEY CHECK (user_id <> ''),
  tier text NOT NULL DEFAULT 'default' REFERENCES tiers (tier),
  monthly_calls_override bigint CHECK (monthly_calls_override >= 0),
  override_until timestamptz,
  erasing_since timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE users IS 'Everyone who ever called; the row is made by the first upload or tool call.';
COMMENT ON COLUMN users.user_id IS 'Subject (sub) of the verified token.';
COMMENT ON COLUMN users.tier IS 'Which limits apply.';
COMMENT ON COLUMN users.monthly_calls_override IS 'Beats the tier''s monthly_calls; 0 = unlimited; NULL = none.';
COMMENT ON COLUMN users.override_until IS 'The override ends here; NULL = it does not end.';
COMMENT ON COLUMN users.erasing_since IS 'Set once the user asked to be erased: nothing new is accepted, the sweeper removes the rest.';
COMMENT ON COLUMN users.created_at IS 'First upload or tool call.';
CREATE INDEX users_erasing ON users (erasing_since) WHERE erasing_since IS NOT NULL;

CREATE TABLE articles (
  id uuid PRIMARY KEY,
  user_id text NOT NULL REFERENCES users (user_id),
  status article_status NOT NULL DEFAULT 'created',
  title text,
  guideline_blob_id uuid NOT NULL,
  research_blob_id uuid,
  extracted_urls jsonb CHECK (jsonb_typeof(extracted_urls) = 'object'),
  next_source_no bigint NOT NULL DEFAULT 1 CHECK (next_source_no > 0),
  version bigint NOT NULL DEFAULT 1,
  idempotency_key text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, id),
  UNIQUE (user_id, idempotency_key)
);
COMMENT ON TABLE articles IS 'One research: a guideline that was uploaded, and what became of it.';
COMMENT ON COLUMN articles.id IS 'UUIDv7, made by the function; users know it as article_guideline_id.';
COMMENT ON COLUMN articles.user_id IS 'Owner. Never changes.';
COMMENT ON COLUMN articles.status IS 'Moves only along article_status_transitions.';
COMMENT ON COLUMN articles.title IS 'First heading of the guideline; NULL if it has none.';
COMMENT ON COLUMN articles.guideline_blob_id IS 'The guideline as uploaded. Never changes.';
COMMENT ON COLUMN articles.research_blob_id IS 'The research document; NULL until create_research_file has run, replaced when it runs again.';
COMMENT ON COLUMN articles.extracted_urls IS 'What extract_guidelines_urls found, as a JSON object; NULL until it has run.';
COMMENT ON COLUMN articles.next_source_no IS 'Next free number for a research source; taken by an UPDATE in the transaction that adds the sources.';
COMMENT ON COLUMN articles.version IS 'Counts the changes of the row; compared by steps that replace the whole result.';
COMMENT ON COLUMN articles.idempotency_key IS 'Given by the uploader: the same key twice is one article; NULL = none given.';
COMMENT ON COLUMN articles.created_at IS 'When the guideline was uploaded.';
COMMENT ON COLUMN articles.updated_at IS 'Last change of the row, by trigger.';
CREATE INDEX articles_recent ON articles (user_id, created_at DESC, id DESC) INCLUDE (status);
CREATE INDEX articles_status ON articles (status);

CREATE TABLE article_status_history (
  article_id uuid NOT NULL,
  seq bigint NOT NULL CHECK (seq > 0),
  user_id text NOT NULL,
  from_status article_status,
  to_status article_status NOT NULL,
  tool_name text,
  call_id uuid,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (article_id, seq),
  FOREIGN KEY (user_id, article_id) REFERENCES articles (user_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE article_status_history IS 'Every move of an article''s status, written by trigger.';
COMMENT ON COLUMN article_status_history.article_id IS 'Which article.';
COMMENT ON COLUMN article_status_history.seq IS 'Counts from 1 for each article.';
COMMENT ON COLUMN article_status_history.user_id IS 'Owner of the article.';
COMMENT ON COLUMN article_status_history.from_status IS 'Status before; NULL for the first row.';
COMMENT ON COLUMN article_status_history.to_status IS 'Status after.';
COMMENT ON COLUMN article_status_history.tool_name IS 'Tool that moved it (app.tool of the transaction); NULL for an upload.';
COMMENT ON COLUMN article_status_history.call_id IS 'Call that moved it (app.call_id of the transaction); NULL for an upload.';
COMMENT ON COLUMN article_status_history.created_at IS 'When it moved.';

CREATE TABLE article_status_transitions (
  from_status article_status NOT NULL,
  to_status article_status NOT NULL,
  PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE article_status_transitions IS 'The moves a status may make; every other one is refused with NV001.';
COMMENT ON COLUMN article_status_transitions.from_status IS 'Status before.';
COMMENT ON COLUMN article_status_transitions.to_status IS 'Status after.';
-- Forward along the workflow, skipping what a guideline does not need; another round of
-- research after a selection; and from the three resting places (a compilation that may have
-- been cut off, a finished one, a failed one) back to whatever tool is called again.
INSERT INTO article_status_transitions (from_status, to_status)
SELECT moves.from_status::article_status, to_status::article_status
  FROM (VALUES
    ('created',            '{extracting_urls,processing_sources,researching,finalizing,failed}'::text[]),
    ('extracting_urls',    '{processing_sources,researching,finalizing,failed}'),
    ('processing_sources', '{researching,finalizing,failed}'),
    ('researching',        '{selecting_sources,finalizing,failed}'),
    ('selecting_sources',  '{researching,scraping_research,finalizing,failed}'),
    ('scraping_research',  '{researching,selecting_sources,finalizing,failed}'),
    ('finalizing',         '{extracting_urls,processing_sources,researching,selecting_sources,scraping_research,completed,failed}'),
    ('completed',          '{extracting_urls,processing_sources,researching,selecting_sources,scraping_research,finalizing}'),
    ('failed',             '{extracting_urls,processing_sources,researching,selecting_sources,scraping_research,finalizing}')
  ) AS moves (from_status, to_statuses), unnest(moves.to_statuses) AS to_status;

-- Runs as its owner, because functions may read the history but not write it.
CREATE FUNCTION article_status_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NOT EXISTS (
    SELECT 1 FROM article_status_transitions t
     WHERE t.from_status = OLD.status AND t.to_status = NEW.status
  ) THEN
    RAISE EXCEPTION 'article % cannot go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'NV001', HINT = 'See article_status_transitions.';
  END IF;
  -- The article's row is locked by this very statement, so that no two moves take one number.
  INSERT INTO article_status_history (article_id, seq, user_id, from_status, to_status, tool_name, call_id)
  SELECT NEW.id, coalesce(max(h.seq), 0) + 1, NEW.user_id,
         CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status,
         nullif(current_setting('app.tool', true), ''),
         nullif(current_setting('app.call_id', true), '')::uuid
    FROM article_status_history h WHERE h.article_id = NEW.id;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION article_status_moved() IS 'Refuses moves that are not in article_status_transitions and writes the history.';
REVOKE ALL ON FUNCTION article_status_moved() FROM PUBLIC;
CREATE TRIGGER status_created AFTER INSERT ON articles
  FOR EACH ROW EXECUTE FUNCTION article_status_moved();
CREATE TRIGGER status_moved AFTER UPDATE OF status ON articles
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION article_status_moved();

CREATE FUNCTION touch_article() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  NEW.version := OLD.version + 1;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION touch_article() IS 'Keeps updated_at and version of an article.';
REVOKE ALL ON FUNCTION touch_article() FROM PUBLIC;
CREATE TRIGGER touch BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch_article();
