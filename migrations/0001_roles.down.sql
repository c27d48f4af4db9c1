-- nova: group roles
-- nova:as=session

-- The roles stay. They belong to the whole cluster: another database may grant to them, and
-- logins are members of them. Without the tables of this database they can do nothing here.
SELECT 1;
