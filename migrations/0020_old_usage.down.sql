-- nova: old usage is forgotten where that is wanted
-- nova:phase=contract

DROP FUNCTION forget_usage(bigint, bigint);
