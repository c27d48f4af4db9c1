-- What one claim says to the database; the statement and its name are nova-store's.
-- jobs: claim
SELECT id, user_id, article_id, arguments, fence, attempts, cancel_requested
  FROM claim_job(('00000000-0000-7000-8004-' || lpad(to_hex(:client_id::bigint), 12, '0'))::uuid, 'run_perplexity_research', make_interval(secs => 0));
