-- nova: how long ago a call was charged
-- nova:phase=contract

DROP FUNCTION call_charged_at(uuid);
