-- nova: calls of providers, and what they cost

CREATE TYPE call_outcome AS ENUM ('answered', 'unusable', 'cut', 'blocked', 'refused', 'busy', 'unreachable');
COMMENT ON TYPE call_outcome IS 'What came of a call of a provider. Nothing was paid for refused and busy; unreachable may have been paid.';

-- Nothing here can refuse a row that tells the truth: it is written in the transaction that keeps
-- what was paid for. No text of the user's either: which question it was stands in the job's items.
CREATE TABLE provider_calls (
  id uuid PRIMARY KEY,
  user_id text NOT NULL CHECK (user_id <> ''),
  article_id uuid,
  job_id uuid NOT NULL,
  item_position bigint NOT NULL,
  tool text NOT NULL,
  provider text NOT NULL,
  model text,
  outcome call_outcome NOT NULL,
  duration_ms bigint NOT NULL,
  prompt_tokens bigint,
  output_tokens bigint,
  thought_tokens bigint,
  cost_micros bigint,
  credits bigint,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE provider_calls IS 'Receipts: one row for each call of a provider, whatever came of it. A call that failed was made, and may have been paid.';
COMMENT ON COLUMN provider_calls.id IS 'UUIDv7, made when the call began: the same receipt written twice is one row.';
COMMENT ON COLUMN provider_calls.user_id IS 'For whom; a salted hash after the user was erased, so that totals stay.';
COMMENT ON COLUMN provider_calls.article_id IS 'Article it was for; NULL after the user was erased. Not a foreign key: what was paid outlives the article.';
COMMENT ON COLUMN provider_calls.job_id IS 'Job that made it; also the call id of tool_call_usage. Not a foreign key: jobs are forgotten after a day.';
COMMENT ON COLUMN provider_calls.item_position IS 'Which of the job''s items it was for, from 0.';
COMMENT ON COLUMN provider_calls.tool IS 'Which tool.';
COMMENT ON COLUMN provider_calls.provider IS 'Who was asked, as messages name it.';
COMMENT ON COLUMN provider_calls.model IS 'Which model; NULL where the provider has no choice of them.';
COMMENT ON COLUMN provider_calls.outcome IS 'What came of it.';
COMMENT ON COLUMN provider_calls.duration_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN provider_calls.prompt_tokens IS 'Tokens that it read; NULL = not told, as in the following columns.';
COMMENT ON COLUMN provider_calls.output_tokens IS 'Tokens of its answer.';
COMMENT ON COLUMN provider_calls.thought_tokens IS 'Tokens of its thinking, paid like those of the answer.';
COMMENT ON COLUMN provider_calls.cost_micros IS 'What it asks for the call, in millionths of a US dollar.';
COMMENT ON COLUMN provider_calls.credits IS 'The same in the provider''s own unit, whose price is a matter of the contract.';
COMMENT ON COLUMN provider_calls.created_at IS 'When the receipt was written, moments after the call.';
-- Of an article, and so of a user; of a month, of everybody: receipts come in the order of time.
CREATE INDEX provider_calls_article ON provider_calls (user_id, article_id);
CREATE INDEX provider_calls_created ON provider_calls USING brin (created_at);

ALTER TABLE provider_calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON provider_calls TO nova_upload, nova_research, nova_download, nova_articles, nova_usage
  USING (user_id = (SELECT app_user())) WITH CHECK (user_id = (SELECT app_user()));
CREATE POLICY analytics ON provider_calls FOR SELECT TO nova_analytics USING (true);
CREATE POLICY sweeper ON provider_calls FOR SELECT TO nova_sweeper USING (true);

GRANT SELECT, INSERT (id, user_id, article_id, job_id, item_position, tool, provider, model, outcome, duration_ms,
                      prompt_tokens, output_tokens, thought_tokens, cost_micros, credits) ON provider_calls TO nova_research;
GRANT SELECT ON provider_calls TO nova_articles, nova_analytics;

-- As in 0007, and receipts.
CREATE OR REPLACE FUNCTION erase_user(p_user text, p_salt text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  nobody constant text := 'erased:' || encode(sha256(convert_to(p_salt || p_user, 'UTF8')), 'hex');
BEGIN
  UPDATE users SET erasing_since = coalesce(erasing_since, now()) WHERE user_id = p_user;
  DELETE FROM articles WHERE user_id = p_user;
  -- At once, also what the articles have just released; what a sweeper has begun is left to it.
  UPDATE blobs SET state = 'deleting', sweep_at = now()
   WHERE user_id = p_user AND state <> 'deleted' AND delete_attempts = 0;
  -- Counters first: their lock makes a charge that is under way end before its rows are looked for.
  WITH gone AS (DELETE FROM usage_counters WHERE user_id = p_user RETURNING year_month, used, refunded)
  INSERT INTO usage_counters AS kept (user_id, year_month, used, refunded)
  SELECT nobody, gone.year_month, gone.used, gone.refunded FROM gone
  ON CONFLICT (user_id, year_month) DO UPDATE
     SET used = kept.used + excluded.used, refunded = kept.refunded + excluded.refunded;
  UPDATE tool_call_usage SET user_id = nobody, article_id = NULL WHERE user_id = p_user;
  UPDATE tool_call_refunds SET user_id = nobody, article_id = NULL WHERE user_id = p_user;
  UPDATE provider_calls SET user_id = nobody, article_id = NULL WHERE user_id = p_user;
  -- The row stays while a tombstone does, and longer than any transaction lasts, to refuse latecomers.
  DELETE FROM users WHERE user_id = p_user AND erasing_since < now() - interval '10 minutes'
     AND NOT EXISTS (SELECT FROM blobs WHERE user_id = p_user);
  RETURN NOT EXISTS (SELECT FROM users WHERE user_id = p_user);
END $$;
