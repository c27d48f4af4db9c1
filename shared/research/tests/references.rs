//! Lists to cite from, of titles and addresses that come from anywhere.

use nova_research::references::{Reference, References};

fn references(all: impl IntoIterator<Item = Reference>) -> References {
    let mut references = References::default();
    all.into_iter().for_each(|it| references.add(it));
    references
}

#[test]
fn a_source_is_listed_once_with_all_that_is_known_of_it() {
    let found = Reference {
        number: Some(7),
        published: Some("2023-10-17".to_owned()),
        ..Reference::new("https://arxiv.org/abs/2310.11511")
    };
    let read = Reference {
        title: Some("Self-RAG".to_owned()),
        author: Some("Ada Lovelace, Alan Turing".to_owned()),
        published: Some("2024".to_owned()),
        read_on: Some("2026-03-01".to_owned()),
        ..Reference::new("https://huggingface.co/papers/2310.11511")
    };
    let code = Reference::new("https://github.com/acme/memory");
    let no_address = Reference::new("A title without an address");
    let references = references([found, read, code, no_address]);
    assert_eq!(
        references.markdown(),
        "- [7] Ada Lovelace, Alan Turing. Self-RAG. <https://arxiv.org/abs/2310.11511> (2023-10-17)\n\
         - <https://github.com/acme/memory>\n"
    );
    assert_eq!(
        references.bibtex(),
        "@misc{source7,\n  author = {{Ada Lovelace} and {Alan Turing}},\n  title = {{Self-RAG}},\n  \
         year = {2023},\n  eprint = {2310.11511},\n  archiveprefix = {arXiv},\n  \
         url = {https://arxiv.org/abs/2310.11511},\n  urldate = {2026-03-01},\n}\n\n\
         @misc{page1,\n  title = {{https://github.com/acme/memory}},\n  url = {https://github.com/acme/memory},\n}\n"
    );
}

#[test]
fn no_title_ends_its_field_its_line_or_its_entry() {
    let hostile = Reference {
        number: Some(1),
        title: Some("}}, x = {\\input{/etc/passwd} 100% $5 & #1_a^~\n@misc{evil,".to_owned()),
        author: Some("<script>, [link](javascript:alert(1))".to_owned()),
        ..Reference::new("https://example.com/a?b={c}&d=<e>")
    };
    let references = references([hostile]);
    let bibtex = references.bibtex();
    let depth = bibtex.chars().fold(0_i32, |depth, char| {
        assert!(depth >= 0, "{bibtex}");
        match char {
            '{' => depth + 1,
            '}' => depth - 1,
            _ => depth,
        }
    });
    assert_eq!(depth, 0, "{bibtex}");
    assert_eq!(bibtex.lines().count(), 5, "{bibtex}");
    assert!(!bibtex.contains("\\input"), "{bibtex}");
    let markdown = references.markdown();
    assert_eq!(markdown.lines().count(), 1, "{markdown}");
    assert!(
        markdown.contains("\\<script\\>") && markdown.contains("\\[link\\]"),
        "{markdown}"
    );
    assert!(
        markdown.ends_with("<https://example.com/a?b=%7Bc%7D&d=%3Ce%3E>\n"),
        "{markdown}"
    );
}
