-- nova: progress of research, as its owner sees it

REVOKE SELECT ON jobs, job_items, research_queries, research_sources FROM nova_articles;
ALTER TABLE articles DROP COLUMN ranked_because;
