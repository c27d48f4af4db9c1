//! Papers: which one a URL shows, wherever it is kept.

use nova_web::is_within;
use percent_encoding::percent_decode_str;
use url::Url;

/// Where papers have their DOI in the path of each of their pages.
#[rustfmt::skip]
const PUBLISHERS: &[&str] = &[
    "acm.org", "acs.org", "annualreviews.org", "aps.org", "ascelibrary.org", "biomedcentral.com",
    "biorxiv.org", "degruyter.com", "emerald.com", "frontiersin.org", "informs.org", "iop.org",
    "liebertpub.com", "medrxiv.org", "pnas.org", "royalsocietypublishing.org", "sagepub.com",
    "science.org", "springer.com", "springeropen.com", "tandfonline.com", "wiley.com",
    "worldscientific.com",
];

/// What publishers put behind a DOI to choose a view of the paper.
#[rustfmt::skip]
const VIEWS: &[&str] = &[
    "/full/html", "/full/pdf", "/full", "/fulltext", "/abstract", "/pdf", "/epub", "/html", "/meta",
    "/references", "/figures", ".full-text", ".full.pdf", ".full", ".abstract", ".pdf",
];

/// The key of the paper that a URL shows.
pub(super) fn key(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let path = percent_decode_str(url.path()).decode_utf8().ok()?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if let Some(id) = arxiv_page(host, &parts) {
        return Some(format!("arxiv:{id}"));
    }
    if host == "openreview.net" && matches!(*parts, ["forum" | "pdf" | "attachment"]) {
        return parameter(url, "id").map(|id| format!("openreview:{id}"));
    }
    let doi = doi(url, host, &parts)?;
    match doi.strip_prefix("10.48550/arxiv.") {
        Some(id) => Some(format!("arxiv:{}", arxiv_id(&[id])?)),
        None => Some(format!("doi:{doi}")),
    }
}

fn arxiv_page(host: &str, parts: &[&str]) -> Option<String> {
    let rest = if is_within(host, "arxiv.org") || is_within(host, "alphaxiv.org") {
        match parts {
            [
                "abs" | "pdf" | "html" | "format" | "ps" | "src" | "e-print" | "overview",
                rest @ ..,
            ] => rest,
            _ => return None,
        }
    } else if is_within(host, "ar5iv.org") {
        match parts {
            ["abs" | "html" | "papers", rest @ ..] | rest => rest,
        }
    } else if host == "huggingface.co" {
        parts.strip_prefix(&["papers"])?
    } else {
        return None;
    };
    arxiv_id(rest)
}

/// The id without its version: `2310.11511v2`, `hep-th/9901001`, `math.GT/0309136v1.pdf`.
fn arxiv_id(parts: &[&str]) -> Option<String> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let (archive, last) = match parts {
        [last] => (None, *last),
        [archive, last] => (Some(archive.to_ascii_lowercase()), *last),
        _ => return None,
    };
    let last = last.to_ascii_lowercase();
    let last = last.strip_suffix(".pdf").unwrap_or(&last);
    let number = match last.rsplit_once('v') {
        Some((number, version)) if is_digits(version) => number,
        _ => last,
    };
    match archive {
        None => {
            let (month, within) = number.split_once('.')?;
            let is_id = month.len() == 4
                && is_digits(month)
                && matches!(within.len(), 4 | 5)
                && is_digits(within);
            is_id.then(|| number.to_owned())
        }
        Some(archive) => {
            // Its subject class names no other paper.
            let archive = archive.split('.').next().unwrap_or_default();
            let is_archive = archive
                .bytes()
                .all(|it| it.is_ascii_lowercase() || it == b'-');
            let is_id = !archive.is_empty() && is_archive && number.len() == 7 && is_digits(number);
            is_id.then(|| format!("{archive}/{number}"))
        }
    }
}

fn doi(url: &Url, host: &str, parts: &[&str]) -> Option<String> {
    if matches!(host, "doi.org" | "dx.doi.org" | "www.doi.org") {
        return registered(&parts.join("/"));
    }
    if host == "journals.plos.org" {
        return registered(&parameter(url, "id")?);
    }
    if is_within(host, "nature.com") {
        return match parts {
            ["articles", article, ..] if article.starts_with(['s', 'n']) => {
                registered(without_view(&format!("10.1038/{article}")))
            }
            _ => None,
        };
    }
    if is_within(host, "aclanthology.org") {
        let id = parts.first()?;
        let id = id.strip_suffix(".pdf").unwrap_or(id);
        // Since 2020 they are named by year, volume and number: `2023.acl-long.1`.
        let is_paper = id.split('.').count() == 3 && id.starts_with("20");
        return is_paper.then(|| registered(&format!("10.18653/v1/{id}")))?;
    }
    if !PUBLISHERS.iter().any(|domain| is_within(host, domain)) {
        return None;
    }
    let start = parts.iter().position(|part| is_prefix(part))?;
    let written = parts.get(start..)?.join("/");
    let doi = without_view(&written);
    if is_within(host, "biorxiv.org") || is_within(host, "medrxiv.org") {
        return registered(without_version(doi));
    }
    registered(doi)
}

/// A DOI in lower case, in which all of its spellings are the same.
fn registered(doi: &str) -> Option<String> {
    let (prefix, suffix) = doi.split_once('/')?;
    (is_prefix(prefix) && !suffix.is_empty()).then(|| doi.to_ascii_lowercase())
}

/// `10.` and the number of whoever registers.
fn is_prefix(part: &str) -> bool {
    part.strip_prefix("10.").is_some_and(|number| {
        (4..=9).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit())
    })
}

fn without_view(doi: &str) -> &str {
    VIEWS
        .iter()
        .find_map(|view| doi.strip_suffix(view))
        .unwrap_or(doi)
}

/// `…123456v2` is the second version of `…123456`.
fn without_version(doi: &str) -> &str {
    match doi.rsplit_once('v') {
        Some((paper, version))
            if paper.ends_with(|last: char| last.is_ascii_digit())
                && !version.is_empty()
                && version.bytes().all(|it| it.is_ascii_digit()) =>
        {
            paper
        }
        _ => doi,
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}
