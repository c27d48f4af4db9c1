-- nova: uploads may delete local files

DROP POLICY uploads_delete_local_files ON sources;
REVOKE DELETE ON sources FROM nova_upload;
