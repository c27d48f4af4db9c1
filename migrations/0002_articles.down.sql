-- nova: users, tiers and articles
-- nova:phase=contract

DROP TABLE article_status_history, article_status_transitions, articles, users, tiers;
DROP FUNCTION article_status_moved(), touch_article();
DROP TYPE article_status;
