-- nova: uploads may delete local files

-- Who uploads a file may take it away again; what the tools have fetched stays out of reach.
GRANT DELETE ON sources TO nova_upload;
CREATE POLICY uploads_delete_local_files ON sources AS RESTRICTIVE FOR DELETE
  TO nova_upload USING (kind = 'local_file');
