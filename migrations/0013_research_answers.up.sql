-- nova: one source for each identity, with all its answers

-- No tool has written a row of these two tables in any release so far: nothing is in the way of
-- columns that must be there, nor of an index that is built at once.
ALTER TABLE research_queries ADD COLUMN provider text CHECK (provider <> '');
COMMENT ON COLUMN research_queries.provider IS 'Who was asked; NULL = the caller searched, and brought the sources.';

-- squawk-ignore adding-required-field
ALTER TABLE research_sources ADD COLUMN identity text NOT NULL CHECK (identity <> ''),
  ADD COLUMN title text CHECK (title <> ''),
  ADD COLUMN published text CHECK (published <> '');
COMMENT ON COLUMN research_sources.identity IS 'What makes it the same source again, whatever the question: canonical URL, arXiv id, DOI, video id.';
COMMENT ON COLUMN research_sources.title IS 'Its title, one line; NULL = not told.';
COMMENT ON COLUMN research_sources.published IS 'When it was published or changed, as the provider wrote it; NULL = not told.';
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX research_sources_identity ON research_sources (article_id, identity);
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX research_sources_owner ON research_sources (user_id, article_id, source_no);

CREATE TABLE research_answers (
  article_id uuid NOT NULL,
  source_no bigint NOT NULL,
  query_id uuid NOT NULL,
  user_id text NOT NULL,
  answer text NOT NULL CHECK (answer <> ''),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (article_id, source_no, query_id),
  FOREIGN KEY (user_id, article_id, source_no) REFERENCES research_sources (user_id, article_id, source_no) ON DELETE CASCADE,
  FOREIGN KEY (user_id, article_id, query_id) REFERENCES research_queries (user_id, article_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE research_answers IS 'Further answers of sources: what a source said to questions that were asked after the one it was found by. The first answer is in research_sources.';
COMMENT ON COLUMN research_answers.article_id IS 'Which article.';
COMMENT ON COLUMN research_answers.source_no IS 'Which of its sources.';
COMMENT ON COLUMN research_answers.query_id IS 'The question it answers.';
COMMENT ON COLUMN research_answers.user_id IS 'Owner of the article.';
COMMENT ON COLUMN research_answers.answer IS 'The passage that answers.';
COMMENT ON COLUMN research_answers.created_at IS 'When it was stored.';
CREATE INDEX research_answers_query ON research_answers (user_id, article_id, query_id);

ALTER TABLE research_answers ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON research_answers TO nova_upload, nova_research, nova_download, nova_articles, nova_usage
  USING (user_id = (SELECT app_user())) WITH CHECK (user_id = (SELECT app_user()));
CREATE POLICY analytics ON research_answers FOR SELECT TO nova_analytics USING (true);
CREATE POLICY sweeper ON research_answers FOR SELECT TO nova_sweeper USING (true);

GRANT SELECT, INSERT (article_id, source_no, query_id, user_id, answer) ON research_answers TO nova_research;
GRANT INSERT (provider) ON research_queries TO nova_research;
GRANT INSERT (identity, title, published) ON research_sources TO nova_research;
