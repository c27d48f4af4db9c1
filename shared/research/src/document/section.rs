//! The sections of `research.md`, in their order.

/// A section of the document.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Section {
    /// Answers of searches, grouped by query.
    ResearchResults,
    /// Pages that were chosen from the answers and read in full.
    ScrapedSources,
    /// Repositories, folders and files of code.
    CodeSources,
    /// Transcripts of videos.
    VideoTranscripts,
    /// Pages that the guideline names.
    AdditionalSources,
    /// Files that the author uploaded; the only section that is left out when it is empty.
    LocalFiles,
}

impl Section {
    pub(super) const ALL: [Self; 6] = [
        Self::ResearchResults,
        Self::ScrapedSources,
        Self::CodeSources,
        Self::VideoTranscripts,
        Self::AdditionalSources,
        Self::LocalFiles,
    ];

    /// The text of the heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::ResearchResults => "Research Results",
            Self::ScrapedSources => "Sources Scraped From Research Results",
            Self::CodeSources => "Code Sources",
            Self::VideoTranscripts => "YouTube Video Transcripts",
            Self::AdditionalSources => "Additional Sources Scraped",
            Self::LocalFiles => "Local Files",
        }
    }

    /// The field in JSON.
    #[cfg(feature = "json")]
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::ResearchResults => "research_results",
            Self::ScrapedSources => "scraped_sources",
            Self::CodeSources => "code_sources",
            Self::VideoTranscripts => "youtube_transcripts",
            Self::AdditionalSources => "additional_sources",
            Self::LocalFiles => "local_files",
        }
    }

    /// What stands in the section when it has no block.
    pub(super) const fn when_empty(self) -> &'static str {
        match self {
            Self::ResearchResults => "_No accepted research results found._\n",
            Self::ScrapedSources => "_No scraped sources found for research results._\n",
            Self::CodeSources => "_No code sources found._\n",
            Self::VideoTranscripts => "_No YouTube video transcripts found._\n",
            Self::AdditionalSources => "_No additional sources scraped._\n",
            Self::LocalFiles => "",
        }
    }
}
