-- nova: usage and limits

CREATE TABLE tool_call_usage (
  id uuid PRIMARY KEY,
  user_id text NOT NULL CHECK (user_id <> ''),
  tool_name text NOT NULL CHECK (tool_name <> ''),
  year_month text NOT NULL CHECK (year_month ~ '^\d{4}-(0[1-9]|1[0-2])$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  article_id uuid
);
COMMENT ON TABLE tool_call_usage IS 'One row per tool call that was admitted and not refunded.';
COMMENT ON COLUMN tool_call_usage.id IS 'The call id, made by the server: the same call delivered twice is charged once.';
COMMENT ON COLUMN tool_call_usage.user_id IS 'Who called; a salted hash after the user was erased, so that totals stay.';
COMMENT ON COLUMN tool_call_usage.tool_name IS 'Which tool.';
COMMENT ON COLUMN tool_call_usage.year_month IS 'Month it counts in, YYYY-MM in UTC by the database''s clock.';
COMMENT ON COLUMN tool_call_usage.created_at IS 'When it was admitted.';
COMMENT ON COLUMN tool_call_usage.article_id IS 'Article it worked on; NULL = none. Not a foreign key: usage outlives the article.';
CREATE INDEX tool_call_usage_user_month ON tool_call_usage (user_id, year_month);

-- Half empty pages and no index on what changes: every charge is a heap-only update.
CREATE TABLE usage_counters (
  user_id text NOT NULL CHECK (user_id <> ''),
  year_month text NOT NULL CHECK (year_month ~ '^\d{4}-(0[1-9]|1[0-2])$'),
  used bigint NOT NULL CHECK (used >= 0),
  refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),
  burst_free_at timestamptz NOT NULL DEFAULT '-infinity',
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, year_month)
) WITH (fillfactor = 50);
COMMENT ON TABLE usage_counters IS 'The monthly counts, so that a limit is checked without counting rows. Always equal to tool_call_usage: see usage_drift.';
COMMENT ON COLUMN usage_counters.user_id IS 'Who called; a salted hash after the user was erased.';
COMMENT ON COLUMN usage_counters.year_month IS 'YYYY-MM in UTC by the database''s clock.';
COMMENT ON COLUMN usage_counters.used IS 'Calls admitted and not refunded.';
COMMENT ON COLUMN usage_counters.refunded IS 'Calls given back.';
COMMENT ON COLUMN usage_counters.burst_free_at IS 'When the whole burst is free again (theoretical arrival time of GCRA); in the past = it is.';
COMMENT ON COLUMN usage_counters.updated_at IS 'Last charge or refund.';

CREATE TABLE tool_call_refunds (
  refund_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  call_id uuid NOT NULL,
  user_id text NOT NULL CHECK (user_id <> ''),
  tool_name text NOT NULL,
  year_month text NOT NULL,
  article_id uuid,
  reason text NOT NULL CHECK (reason <> ''),
  charged_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tool_call_refunds IS 'Calls that failed by our fault and were given back.';
COMMENT ON COLUMN tool_call_refunds.refund_id IS 'Internal number; never shown.';
COMMENT ON COLUMN tool_call_refunds.call_id IS 'The id the call had in tool_call_usage.';
COMMENT ON COLUMN tool_call_refunds.user_id IS 'Who called; a salted hash after the user was erased.';
COMMENT ON COLUMN tool_call_refunds.tool_name IS 'Which tool.';
COMMENT ON COLUMN tool_call_refunds.year_month IS 'Month it was charged to, and given back to.';
COMMENT ON COLUMN tool_call_refunds.article_id IS 'Article it worked on; NULL = none.';
COMMENT ON COLUMN tool_call_refunds.reason IS 'What failed, for operators.';
COMMENT ON COLUMN tool_call_refunds.charged_at IS 'When it was admitted.';
COMMENT ON COLUMN tool_call_refunds.created_at IS 'When it was given back.';
CREATE INDEX tool_call_refunds_user ON tool_call_refunds (user_id);

CREATE VIEW usage_drift WITH (security_invoker = true) AS
SELECT user_id, year_month, counter.used, calls.used AS calls
  FROM usage_counters AS counter
  FULL JOIN (SELECT user_id, year_month, count(*) AS used FROM tool_call_usage GROUP BY user_id, year_month) AS calls
       USING (user_id, year_month)
 WHERE coalesce(counter.used, 0) <> coalesce(calls.used, 0);
COMMENT ON VIEW usage_drift IS 'Counters that differ from the rows they count. Empty at any moment, in any snapshot; a row is a bug.';
COMMENT ON COLUMN usage_drift.user_id IS 'Whose counter.';
COMMENT ON COLUMN usage_drift.year_month IS 'Which month.';
COMMENT ON COLUMN usage_drift.used IS 'What the counter says; NULL = there is none.';
COMMENT ON COLUMN usage_drift.calls IS 'What the rows say; NULL = there are none.';
