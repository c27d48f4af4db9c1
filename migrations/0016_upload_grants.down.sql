-- nova: grants for single uploads
-- nova:phase=contract

DROP FUNCTION expire_upload_grants(interval, bigint);
DROP FUNCTION find_upload_grant(bytea);
DROP TABLE upload_grants;
