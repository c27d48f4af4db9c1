//! The whole system, over HTTP, against a real PostgreSQL: what a user, and an attacker, would do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod advice;
mod articles;
mod browser;
mod captions;
mod cases;
mod cloud_sql;
mod crash;
mod demo;
mod document;
mod download;
mod github;
mod large_sources;
mod limits;
mod local_files;
mod local_files_page;
mod long_tools;
mod mcp;
mod mcp_clients;
mod mcp_mistakes;
mod mcp_schemas;
mod mcp_waiting;
mod memory;
mod once;
mod page_cleaning;
mod processes;
mod reports;
mod research;
mod scrape_other_urls;
mod scrape_research_urls;
mod selection;
mod streaming;
mod system;
mod unattended;
mod upload_grants;
mod videos;
mod walk;
mod without_providers;
