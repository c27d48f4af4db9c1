//! What must be known of a page before its first line is written, found in one pass.

use std::collections::{HashMap, HashSet};

use super::Piece;
use crate::page::dom::{Attr, Dom, NodeId, Step, Tag};

/// Findings about a page.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Tables that hold data. The others arrange blocks on a screen.
    pub(super) tables: HashSet<NodeId>,
    /// Tables whose one cell of interest is code; the others hold line numbers.
    pub(super) code_tables: HashSet<NodeId>,
    /// Lists of definitions that are more than a line each.
    pub(super) long_definitions: HashSet<NodeId>,
    /// Links to notes, with the label of the note.
    pub(super) references: HashMap<NodeId, String>,
    /// The notes.
    pub(super) notes: HashMap<NodeId, String>,
}

#[derive(Debug)]
struct Table {
    id: NodeId,
    cells: usize,
    rows: usize,
    code: usize,
    /// It holds what no cell of a Markdown table can.
    blocks: bool,
    line_numbers: bool,
}

#[derive(Debug)]
struct Definitions {
    id: NodeId,
    paragraphs: usize,
    long: bool,
}

/// Looks at what is going to be written.
pub(super) fn plan(dom: &Dom, piece: &Piece<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut tables: Vec<Table> = Vec::new();
    let mut definitions: Vec<Definitions> = Vec::new();
    let mut ids: HashMap<&str, NodeId> = HashMap::new();
    let mut links: Vec<(NodeId, &str)> = Vec::new();
    for &root in piece.roots {
        let mut walk = dom.walk(root);
        while let Some(step) = walk.next() {
            match step {
                Step::Enter(id) if piece.dropped.contains(id) => walk.pass_over(id),
                Step::Enter(id) => {
                    if let Some(name) = dom.attr(id, Attr::Id) {
                        ids.entry(name).or_insert(id);
                    }
                    let tag = dom.tag(id);
                    if tag == Tag::A {
                        if let Some(name) = dom.attr(id, Attr::Name) {
                            ids.entry(name).or_insert(id);
                        }
                        if let Some(target) = note_target(dom, id) {
                            links.push((id, target));
                        }
                    }
                    enter(dom, id, tag, &mut tables, &mut definitions);
                }
                Step::Leave(id) => leave(dom.tag(id), id, &mut tables, &mut definitions, &mut plan),
            }
        }
    }
    for (link, target) in links {
        let Some(&note) = ids.get(target) else {
            continue;
        };
        let label = label_of(&dom.text_of(link));
        if label.is_empty() || label.len() > 12 {
            continue;
        }
        // The definition's text stands beside its term.
        let note = match dom.tag(note) {
            Tag::Dt => following(dom, note, Tag::Dd).unwrap_or(note),
            Tag::A | Tag::Sup => continue,
            _ => note,
        };
        let label = plan.notes.entry(note).or_insert(label).clone();
        plan.references.insert(link, label);
    }
    plan
}

fn following(dom: &Dom, from: NodeId, tag: Tag) -> Option<NodeId> {
    std::iter::successors(dom.next(from), |&it| dom.next(it))
        .take(3)
        .find(|&it| dom.tag(it) == tag)
}

fn enter(
    dom: &Dom,
    id: NodeId,
    tag: Tag,
    tables: &mut Vec<Table>,
    definitions: &mut Vec<Definitions>,
) {
    match tag {
        Tag::Table => {
            for outer in tables.iter_mut() {
                outer.blocks = true;
            }
            tables.push(Table {
                id,
                cells: 0,
                rows: 0,
                code: 0,
                blocks: false,
                line_numbers: is_line_numbers(dom, id) || is_code_listing(dom, id),
            });
        }
        Tag::Tr => count(tables, |it| it.rows += 1),
        Tag::Td | Tag::Th => {
            count(tables, |it| it.cells += 1);
            if is_line_numbers(dom, id) {
                count(tables, |it| it.line_numbers = true);
            }
        }
        Tag::Pre => count(tables, |it| it.code += 1),
        Tag::H1 | Tag::H2 | Tag::H3 | Tag::Article | Tag::Section | Tag::Form => {
            count(tables, |it| it.blocks = true);
        }
        Tag::Dl => definitions.push(Definitions {
            id,
            paragraphs: 0,
            long: false,
        }),
        Tag::Dd => {
            if let Some(list) = definitions.last_mut() {
                list.paragraphs = 0;
            }
        }
        _ => {}
    }
    // Blocks in a definition, seen from the list that it is in.
    let long = matches!(
        tag,
        Tag::Pre | Tag::Ul | Tag::Ol | Tag::Dl | Tag::Table | Tag::Blockquote
    ) || tag.heading().is_some();
    let levels = if tag == Tag::Dl { 2 } else { 1 };
    if (long || tag == Tag::P)
        && let Some(list) = definitions.iter_mut().rev().nth(levels - 1)
    {
        list.paragraphs += usize::from(tag == Tag::P);
        list.long |= long || list.paragraphs > 1;
    }
}

fn count(tables: &mut [Table], change: impl FnOnce(&mut Table)) {
    if let Some(table) = tables.last_mut() {
        change(table);
    }
}

fn leave(
    tag: Tag,
    id: NodeId,
    tables: &mut Vec<Table>,
    definitions: &mut Vec<Definitions>,
    plan: &mut Plan,
) {
    match tag {
        Tag::Table => {
            let Some(table) = tables.pop_if(|it| it.id == id) else {
                return;
            };
            if table.line_numbers && table.code <= 2 {
                plan.code_tables.insert(id);
            } else if !table.blocks && table.rows > 1 && table.cells > table.rows {
                plan.tables.insert(id);
            }
        }
        Tag::Dl => {
            if let Some(list) = definitions.pop_if(|it| it.id == id)
                && list.long
            {
                plan.long_definitions.insert(id);
            }
        }
        _ => {}
    }
}

fn is_line_numbers(dom: &Dom, id: NodeId) -> bool {
    dom.attr(id, Attr::Class)
        .is_some_and(|it| it.split_ascii_whitespace().any(super::code::is_line_number))
}

fn is_code_listing(dom: &Dom, id: NodeId) -> bool {
    dom.attr(id, Attr::Class).is_some_and(|it| {
        it.split_ascii_whitespace().any(|it| {
            matches!(
                it,
                "highlighttable" | "rouge-table" | "lntable" | "hljs-ln" | "codehilitetable"
            )
        })
    })
}

/// Where a link leads that looks like one to a note.
fn note_target(dom: &Dom, link: NodeId) -> Option<&str> {
    let target = dom.attr(link, Attr::Href)?.strip_prefix('#')?;
    let marked = [link, dom.parent(link)?].into_iter().any(|it| {
        dom.attr(it, Attr::Class).is_some_and(|classes| {
            let classes = classes.to_ascii_lowercase();
            (classes.contains("footnote") || classes.contains("noteref"))
                && !classes.contains("back")
        }) || dom.attr(it, Attr::Role) == Some("doc-noteref")
    });
    let raised = dom
        .ancestors(link)
        .take(3)
        .any(|it| dom.tag(it) == Tag::Sup)
        || dom.children(link).any(|it| dom.tag(it) == Tag::Sup);
    (marked || raised).then_some(target)
}

/// What a note is called: its number, mostly.
fn label_of(text: &str) -> String {
    text.chars()
        .filter(|it| it.is_alphanumeric() || matches!(it, '*' | '†' | '‡' | '-' | '_'))
        .map(|it| match it {
            '*' => 'a',
            '†' => 'b',
            '‡' => 'c',
            it => it,
        })
        .collect()
}
