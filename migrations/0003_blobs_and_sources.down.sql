-- nova: blobs and sources
-- nova:phase=contract

DROP VIEW local_files, scraped_urls, github_ingests, youtube_transcripts, scraped_research_urls;
DROP TABLE research_sources, research_queries, sources;
DROP INDEX articles_guideline_blob, articles_research_blob;
ALTER TABLE articles DROP CONSTRAINT articles_guideline_fkey, DROP CONSTRAINT articles_research_fkey;
DROP TABLE blobs;
DROP FUNCTION touch();
DROP TYPE source_kind, blob_state;
