//! How much a document holds.

use serde::{Deserialize, Serialize};

use super::Section;

/// The number of blocks in each section, by the names that the tool's result has.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Queries with at least one answer that was kept; not the answers.
    #[serde(rename = "research_results_count")]
    pub research_results: u64,
    /// Pages that were chosen from the answers.
    #[serde(rename = "scraped_sources_count")]
    pub scraped_sources: u64,
    /// Repositories, folders and files of code.
    #[serde(rename = "code_sources_count")]
    pub code_sources: u64,
    /// Transcripts.
    #[serde(rename = "youtube_transcripts_count")]
    pub video_transcripts: u64,
    /// Pages that the guideline names.
    #[serde(rename = "additional_sources_count")]
    pub additional_sources: u64,
    /// Files that the author uploaded.
    #[serde(rename = "local_files_count")]
    pub local_files: u64,
}

impl Counts {
    pub(super) const fn of(&mut self, section: Section) -> &mut u64 {
        match section {
            Section::ResearchResults => &mut self.research_results,
            Section::ScrapedSources => &mut self.scraped_sources,
            Section::CodeSources => &mut self.code_sources,
            Section::VideoTranscripts => &mut self.video_transcripts,
            Section::AdditionalSources => &mut self.additional_sources,
            Section::LocalFiles => &mut self.local_files,
        }
    }
}
