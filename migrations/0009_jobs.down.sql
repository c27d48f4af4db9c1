-- nova: jobs
-- nova:phase=contract

DROP FUNCTION expire_jobs(interval, bigint);
DROP FUNCTION jobs_to_ring(interval, bigint);
DROP FUNCTION claim_job(uuid, text, interval);
DROP TABLE job_items;
DROP TABLE jobs;
DROP TYPE job_item_state;
DROP TYPE job_state;
