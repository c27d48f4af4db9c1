-- nova: where sources come from

-- A tool that runs again asks a site for what has changed since, and somebody who reads the
-- document wants to know who wrote what when. NULL everywhere: not known, or it has none.
ALTER TABLE sources
  ADD COLUMN page_title text,
  ADD COLUMN author text,
  ADD COLUMN published date,
  ADD COLUMN language text,
  ADD COLUMN final_url text,
  ADD COLUMN etag text,
  ADD COLUMN last_modified text,
  ADD COLUMN revision text,
  ADD COLUMN provider text,
  ADD COLUMN cost jsonb,
  ADD COLUMN fetched_at timestamptz;
COMMENT ON COLUMN sources.page_title IS 'What it calls itself.';
COMMENT ON COLUMN sources.author IS 'Who wrote it; several are separated by commas.';
COMMENT ON COLUMN sources.published IS 'The day on which it was published.';
COMMENT ON COLUMN sources.language IS 'Its language, as en or de-AT.';
COMMENT ON COLUMN sources.final_url IS 'Where it was found, after all redirects.';
COMMENT ON COLUMN sources.etag IS 'ETag of the answer: what to ask with the next time.';
COMMENT ON COLUMN sources.last_modified IS 'Last-Modified of the answer, as the server wrote it; likewise.';
COMMENT ON COLUMN sources.revision IS 'Which state of it this is, where its origin names states: the commit of a repository.';
COMMENT ON COLUMN sources.provider IS 'Who gave it: built_in, firecrawl, github, gemini, ….';
COMMENT ON COLUMN sources.cost IS 'What the text cost, in the provider''s own unit, as {"credits": 1}.';
COMMENT ON COLUMN sources.fetched_at IS 'When its origin was last asked for it, whether it had changed or not; NULL for a local file.';

GRANT INSERT (page_title, author, published, language, final_url, etag, last_modified, revision, provider, cost, fetched_at),
      UPDATE (page_title, author, published, language, final_url, etag, last_modified, revision, provider, cost, fetched_at)
   ON sources TO nova_upload, nova_research;

-- updated_at is when the text was replaced, as its comment says, and not when somebody looked.
DROP TRIGGER touch ON sources;
CREATE TRIGGER touch BEFORE UPDATE ON sources
  FOR EACH ROW WHEN (OLD.blob_id IS DISTINCT FROM NEW.blob_id) EXECUTE FUNCTION touch();
