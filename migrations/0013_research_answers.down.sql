-- nova: one source for each identity, with all its answers
-- nova:phase=contract

DROP TABLE research_answers;
DROP INDEX research_sources_owner;
DROP INDEX research_sources_identity;
ALTER TABLE research_sources DROP COLUMN identity, DROP COLUMN title, DROP COLUMN published;
ALTER TABLE research_queries DROP COLUMN provider;
