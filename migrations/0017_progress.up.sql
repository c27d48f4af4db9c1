-- nova: progress of research, as its owner sees it

-- A model that failed is told where its judgement is missing: in the file.
ALTER TABLE articles ADD COLUMN ranked_because text CHECK (ranked_because <> '');
COMMENT ON COLUMN articles.ranked_because IS 'Why the sources that are kept were ranked without the language model that was asked: it failed so; NULL = it did not, or none was asked.';
GRANT UPDATE (ranked_because) ON articles TO nova_research;

-- `articles` shows how far the research for an article has come: the step that goes on, and what was
-- found so far.
GRANT SELECT ON jobs, job_items, research_queries, research_sources TO nova_articles;
