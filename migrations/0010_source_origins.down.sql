-- nova: where sources come from
-- nova:phase=contract

DROP TRIGGER touch ON sources;
CREATE TRIGGER touch BEFORE UPDATE ON sources FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE sources
  DROP COLUMN page_title,
  DROP COLUMN author,
  DROP COLUMN published,
  DROP COLUMN language,
  DROP COLUMN final_url,
  DROP COLUMN etag,
  DROP COLUMN last_modified,
  DROP COLUMN revision,
  DROP COLUMN provider,
  DROP COLUMN cost,
  DROP COLUMN fetched_at;
