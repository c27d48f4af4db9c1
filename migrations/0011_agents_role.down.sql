-- nova: the role of the agents' endpoint
-- nova:as=session

-- The role stays, as those of 0001 do.
SELECT 1;
