-- nova: grants for single uploads

-- Whoever holds a grant's token may send one thing to one address in the user's name: what an agent
-- gives to a shell in place of its own token.
CREATE TABLE upload_grants (
  id uuid PRIMARY KEY,
  user_id text NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  article_id uuid,
  token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  target text NOT NULL CHECK (target LIKE '/%'),
  content_type text NOT NULL CHECK (content_type <> ''),
  max_bytes bigint NOT NULL CHECK (max_bytes > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL DEFAULT now() + interval '10 minutes',
  used_at timestamptz,
  FOREIGN KEY (user_id, article_id) REFERENCES articles (user_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE upload_grants IS 'Grants for single uploads without a token of the user''s: each for one address, one type, one size, ten minutes and one use.';
COMMENT ON COLUMN upload_grants.id IS 'UUIDv7, made by the function; also the id of the article that comes of a guideline''s grant.';
COMMENT ON COLUMN upload_grants.user_id IS 'In whose name the upload is.';
COMMENT ON COLUMN upload_grants.article_id IS 'Article that the upload is for; NULL = it begins one.';
COMMENT ON COLUMN upload_grants.token_hash IS 'SHA-256 of the token, which is nowhere else. The token is random, so nothing has to slow guessing down.';
COMMENT ON COLUMN upload_grants.target IS 'Path and query of the one address that it opens: purpose, article and name of the file.';
COMMENT ON COLUMN upload_grants.content_type IS 'The media type that has to be declared.';
COMMENT ON COLUMN upload_grants.max_bytes IS 'The most that may be sent.';
COMMENT ON COLUMN upload_grants.created_at IS 'When it was asked for.';
COMMENT ON COLUMN upload_grants.expires_at IS 'An upload has to begin before this.';
COMMENT ON COLUMN upload_grants.used_at IS 'When it was used, in the transaction that kept what was uploaded; NULL = not yet.';
CREATE INDEX upload_grants_article ON upload_grants (user_id, article_id);
CREATE INDEX upload_grants_expires ON upload_grants (expires_at);

ALTER TABLE upload_grants ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON upload_grants TO nova_upload, nova_research, nova_download, nova_articles, nova_usage
  USING (user_id = (SELECT app_user())) WITH CHECK (user_id = (SELECT app_user()));

GRANT SELECT (id, user_id, article_id, expires_at, used_at), INSERT (id, user_id, article_id, token_hash, target, content_type, max_bytes),
      UPDATE (used_at) ON upload_grants TO nova_upload;

-- A request comes with the token alone, and learns here in whose name it is; from then on it works
-- as that user, under row level security.
CREATE FUNCTION find_upload_grant(p_token_hash bytea) RETURNS SETOF upload_grants
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  SELECT g.* FROM upload_grants g WHERE g.token_hash = p_token_hash;
END;
COMMENT ON FUNCTION find_upload_grant(bytea) IS 'The grant of a token, used and expired ones too; no row if there is none.';
REVOKE ALL ON FUNCTION find_upload_grant(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_upload_grant(bytea) TO nova_upload;

CREATE FUNCTION expire_upload_grants(p_age interval, p_limit bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  WITH gone AS (
    DELETE FROM upload_grants WHERE id IN (
      SELECT g.id FROM upload_grants g WHERE g.expires_at < now() - p_age ORDER BY g.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
    RETURNING 1)
  SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION expire_upload_grants(interval, bigint) IS 'Deletes grants that expired longer ago than p_age; answers how many.';
REVOKE ALL ON FUNCTION expire_upload_grants(interval, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expire_upload_grants(interval, bigint) TO nova_sweeper;
