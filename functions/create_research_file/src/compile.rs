//! The file, written piece by piece as its sources arrive from the bucket.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use nova_blobs::{Blobs, BoxError};
use nova_research::{
    document::{Counts, Section},
    references::{Reference, References},
};
use nova_runtime::Problem;
use nova_store::{ArticleId, FoundReference, ResearchResult, Source, SourceKind, Tenant};
use tokio::sync::mpsc;

use crate::format::Binding;

/// How much of the document is collected before it is passed on.
const PIECE_BYTES: usize = 64 * 1024;

/// Everything that the file is made of, but for the texts in the bucket.
pub(crate) struct Material {
    results: Vec<ResearchResult>,
    sources: Vec<Source>,
    found: Vec<FoundReference>,
}

impl Material {
    pub(crate) async fn load(tenant: &mut Tenant, article: ArticleId) -> Result<Self, Problem> {
        Ok(Self {
            results: tenant.research_results(article).await?,
            sources: tenant.document_sources(article).await?,
            found: tenant.research_references(article).await?,
        })
    }

    /// Sources were found and judged, and none is kept.
    pub(crate) fn none_passed_selection(&self) -> bool {
        !self.found.is_empty() && self.found.iter().all(|source| !source.kept)
    }

    fn references(&self) -> References {
        let mut references = References::default();
        for source in self.found.iter().filter(|source| source.kept) {
            references.add(Reference {
                number: source.source_no.try_into().ok(),
                title: source.title.clone(),
                published: source.published.clone(),
                ..Reference::new(&source.url)
            });
        }
        let read = self.sources.iter();
        for source in read.filter(|source| source.kind != SourceKind::LocalFile) {
            references.add(Reference {
                title: source.page_title.clone(),
                author: source.author.clone(),
                published: source.published.map(|day| day.to_string()),
                read_on: source.fetched_at.map(|moment| moment.date().to_string()),
                ..Reference::new(&source.title)
            });
        }
        references
    }
}

/// Writes the file piece by piece.
pub(crate) async fn compile(
    blobs: &Blobs,
    material: Material,
    binding: Binding,
    pieces: Pieces,
) -> Result<Counts, Problem> {
    let written = write(blobs, material, binding, &pieces).await;
    if let Err(problem) = &written {
        // The upload must not end as if the document were complete.
        pieces.fail(problem).await;
    }
    written
}

async fn write(
    blobs: &Blobs,
    material: Material,
    mut binding: Binding,
    pieces: &Pieces,
) -> Result<Counts, Problem> {
    let references = material.references();
    let mut text = String::with_capacity(2 * PIECE_BYTES);
    let mut open_query = None;
    for result in material.results {
        if open_query.as_ref() != Some(&result.query) {
            binding
                .open(Section::ResearchResults, &result.query, &mut text)
                .map_err(Problem::internal)?;
        }
        let number = u64::try_from(result.source_no).map_err(Problem::internal)?;
        binding.answer(number, &result.url, &result.query, &mut text);
        binding.body(result.answer.as_bytes(), &mut text);
        open_query = Some(result.query);
        pieces.pass_on(&mut text).await?;
    }
    for source in material.sources {
        binding
            .open(section(source.kind), &source.title, &mut text)
            .map_err(Problem::internal)?;
        if !binding.holds_texts() {
            continue;
        }
        let mut content = blobs.read(&source.blob, None).await?.stream;
        while let Some(chunk) = content.try_next().await? {
            binding.body(&chunk, &mut text);
            pieces.pass_on(&mut text).await?;
        }
    }
    let counts = binding.finish(&references, &mut text);
    pieces.send(text).await?;
    Ok(counts)
}

fn section(kind: SourceKind) -> Section {
    match kind {
        SourceKind::ScrapedResearchUrl => Section::ScrapedSources,
        SourceKind::GithubIngest => Section::CodeSources,
        SourceKind::YoutubeTranscript => Section::VideoTranscripts,
        SourceKind::ScrapedUrl => Section::AdditionalSources,
        SourceKind::LocalFile => Section::LocalFiles,
    }
}

/// The way to the bucket.
pub(crate) struct Pieces(pub(crate) mpsc::Sender<Result<Bytes, BoxError>>);

impl Pieces {
    async fn pass_on(&self, text: &mut String) -> Result<(), Problem> {
        if text.len() < PIECE_BYTES {
            return Ok(());
        }
        let full = std::mem::replace(text, String::with_capacity(2 * PIECE_BYTES));
        self.send(full).await
    }

    /// Fails when the upload has ended, which then says why itself.
    async fn send(&self, text: String) -> Result<(), Problem> {
        self.0
            .send(Ok(Bytes::from(text)))
            .await
            .map_err(Problem::internal)
    }

    async fn fail(&self, problem: &Problem) {
        // Nobody is left to be told when the upload has failed first.
        drop(self.0.send(Err(problem.to_string().into())).await);
    }
}
