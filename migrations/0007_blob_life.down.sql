-- nova: the life of blobs, and erasure
-- nova:phase=contract

DROP TRIGGER state_moved ON blobs;
DROP TRIGGER blobs_changed ON articles;
DROP TRIGGER research_replaced ON articles;
DROP TRIGGER blob_changed ON sources;
DROP TRIGGER blob_replaced ON sources;
DROP FUNCTION erase_user(text, text), blob_deleted(uuid), claim_dead_blobs(bigint),
  source_blob_changed(), article_blobs_changed(), release_blob(uuid, text), link_blob(uuid, text), blob_state_moved();
