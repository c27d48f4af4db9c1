-- nova: the role of small deployments
-- nova:as=session

-- The role stays, as those of 0001 do.
SELECT 1;
