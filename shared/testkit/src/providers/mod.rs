//! Those whom the tools ask for pages, code, videos and answers, on loopback.
//!
//! Each of them is a [`StandIn`]: a real HTTP server that answers as the provider does, keeps what it
//! [received](StandIn::received), and writes down what it [was paid for](StandIn::paid). Tests make it
//! [go wrong](StandIn::inject). What is paid for is written down when the answer is made, as providers
//! do: an answer that is lost on its way was paid for all the same.
//!
//! | Module | Who |
//! | --- | --- |
//! | [`bitbucket`], [`bitbucket_data_center`], [`gitlab`] | code, as [`github`] |
//! | [`engines`] | search engines that list results: Tavily, `SearXNG` |
//! | [`firecrawl`] | reads pages (`POST /v2/scrape`) |
//! | [`github`] | code: archives, files, gists; not paid, but limited |
//! | [`google`] | answers with text or JSON, and watches videos (`generateContent`, Gemini API and Vertex AI) |
//! | [`openai`] | answers with text or JSON (`chat/completions`, as OpenAI and many others speak it) |
//! | [`perplexity`] | searches, and answers with citations |
//! | [`site`] | a site of the web, which is not paid |
//! | [`youtube`] | gives captions of videos, which are not paid |
//!
//! A further one is a function from [`Received`] to [`Answer`]:
//!
//! ```
//! # async fn example() -> std::io::Result<()> {
//! use nova_testkit::providers::{Answer, StandIn};
//! use serde_json::json;
//!
//! let oracle = StandIn::start(|asked| {
//!     let question = asked.json()["question"].as_str().unwrap_or_default().to_owned();
//!     Answer::json(200, &json!({"answer": 42})).paid(question, 1)
//! }).await?;
//! println!("{}", oracle.url());
//! # Ok(()) }
//! ```

pub mod bitbucket;
pub mod bitbucket_data_center;
pub mod engines;
pub mod firecrawl;
pub mod github;
pub mod gitlab;
pub mod google;
pub mod openai;
pub mod perplexity;
pub mod site;
pub mod youtube;

mod answer;
mod fault;
mod knowing;
mod repository;
mod schema;
mod server;
mod told;

pub use self::{
    answer::{Answer, Payment},
    fault::{Effect, Fault},
    server::{Received, StandIn},
};
