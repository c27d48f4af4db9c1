//! Walks the tree and writes its blocks.

mod links;

use super::frame::Frame;
use super::line::{Line, Mark};
use super::plan::{Plan, plan};
use super::table::Table;
use super::{Base, Piece, code, math};
use crate::fence::fenced;
use crate::page::dom::{Attr, Dom, NodeId, Step, Tag};
use crate::page::hidden::{is_hidden, is_idle_noscript};

/// A list that is open.
#[derive(Debug)]
struct List {
    /// The number of the next item, if items have numbers.
    next: Option<u64>,
    items: usize,
}

/// Writes a page.
pub(super) struct Writer<'a> {
    dom: &'a Dom,
    piece: Piece<'a>,
    base: &'a Base,
    plan: Plan,
    frame: Frame,
    line: Line,
    lists: Vec<List>,
    /// Whether each list of definitions that is open is a long one.
    definitions: Vec<bool>,
    table: Option<Table>,
    in_cell: bool,
    heading: bool,
    /// Notes that are open.
    notes: usize,
    /// What was skipped and is about to be left.
    skipped: Option<NodeId>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(dom: &'a Dom, piece: Piece<'a>, base: &'a Base) -> Self {
        Self {
            plan: plan(dom, &piece),
            dom,
            piece,
            base,
            frame: Frame::default(),
            line: Line::default(),
            lists: Vec::new(),
            definitions: Vec::new(),
            table: None,
            in_cell: false,
            heading: false,
            notes: 0,
            skipped: None,
        }
    }

    pub(super) fn write(mut self) -> String {
        for &root in self.piece.roots {
            let mut walk = self.dom.walk(root);
            while let Some(step) = walk.next() {
                match step {
                    Step::Enter(id) if !self.enter(id) => {
                        self.skipped = Some(id);
                        walk.pass_over(id);
                    }
                    Step::Enter(_) => {}
                    Step::Leave(id) if self.skipped == Some(id) => self.skipped = None,
                    Step::Leave(id) => self.leave(id),
                }
            }
            self.flush();
        }
        self.frame.finish()
    }

    /// Begins a node. `false` says that what is in it is done, or left out.
    fn enter(&mut self, id: NodeId) -> bool {
        if self.piece.dropped.contains(id) {
            return false;
        }
        if let Some(text) = self.dom.text(id) {
            if self.table.is_none() || self.in_cell {
                self.line.text(text);
            }
            return true;
        }
        let Some(element) = self.dom.element(id) else {
            return true;
        };
        if is_hidden(element) {
            return false;
        }
        if let Some(formula) = math::formula(self.dom, id) {
            self.formula(&formula);
            return false;
        }
        if let Some(label) = self.plan.notes.get(&id)
            && !self.in_cell
        {
            let first = format!("[^{label}]: ");
            self.flush();
            if self.notes > 0 {
                self.frame.tighten();
            }
            self.notes += 1;
            self.frame.open(first, "    ");
            return true;
        }
        self.begin(id, element.tag)
    }

    fn begin(&mut self, id: NodeId, tag: Tag) -> bool {
        match tag {
            Tag::Script
            | Tag::Style
            | Tag::Template
            | Tag::Title
            | Tag::Svg
            | Tag::Canvas
            | Tag::Select
            | Tag::Textarea
            | Tag::Progress
            | Tag::Dialog
            | Tag::Map => return false,
            Tag::Noscript => return !is_idle_noscript(self.dom, id),
            // All that some headings hold; beside others it is a tool.
            Tag::Button => return self.heading && self.line.is_empty(),
            Tag::Input => self.input(id),
            Tag::Br if self.heading => self.line.space(),
            Tag::Br if self.line.line_break() => self.flush(),
            Tag::Br => {}
            Tag::Hr => {
                self.flush();
                if !self.in_cell && !self.frame.is_empty() && !self.frame.ends_with_rule() {
                    self.frame.block("---");
                }
            }
            Tag::Pre | Tag::Xmp => {
                self.code_block(id);
                return false;
            }
            Tag::Code | Tag::Kbd | Tag::Samp | Tag::Tt => return self.code(id),
            Tag::Em | Tag::I | Tag::Var => self.line.open(Mark::Emphasis),
            // A heading is strong already.
            Tag::Strong | Tag::B if !self.heading => self.line.open(Mark::Strong),
            Tag::Del | Tag::S | Tag::Strike => self.line.open(Mark::Strike),
            Tag::Sup => return self.raised(id),
            Tag::A => return self.link(id),
            Tag::Img => self.image(id),
            Tag::Iframe | Tag::Embed | Tag::Video | Tag::Audio => {
                self.embedded(id);
                return false;
            }
            Tag::Ul | Tag::Menu | Tag::Ol => self.begin_list(id, tag),
            Tag::Li => self.begin_item(id),
            Tag::Dl => {
                self.flush();
                self.definitions
                    .push(self.plan.long_definitions.contains(&id));
            }
            Tag::Dt => self.begin_term(),
            Tag::Dd => self.begin_definition(),
            Tag::Blockquote => {
                self.flush();
                if !self.in_cell {
                    self.frame.open("> ", "> ");
                }
            }
            Tag::Summary => {
                self.flush();
                self.line.open(Mark::Strong);
            }
            Tag::Table => return self.begin_table(id),
            Tag::Tr if self.table.is_some() => {}
            Tag::Td | Tag::Th if self.table.is_some() => {
                self.line.begin_cell();
                self.in_cell = true;
            }
            _ if tag.heading().is_some() => {
                self.flush();
                self.heading = true;
            }
            _ if tag.is_block() => self.flush(),
            _ => {}
        }
        true
    }

    fn leave(&mut self, id: NodeId) {
        let Some(element) = self.dom.element(id) else {
            return;
        };
        if self.plan.notes.contains_key(&id) && !self.in_cell {
            self.flush();
            self.frame.close();
            return;
        }
        match element.tag {
            Tag::A | Tag::Em | Tag::I | Tag::Var | Tag::Del | Tag::S | Tag::Strike => {
                self.line.close();
            }
            Tag::Strong | Tag::B if !self.heading => self.line.close(),
            Tag::Ul | Tag::Menu | Tag::Ol => {
                self.flush();
                self.lists.pop();
                self.frame.loosen();
            }
            Tag::Li | Tag::Blockquote => {
                self.flush();
                if !self.in_cell {
                    self.frame.close();
                }
            }
            Tag::Dl => {
                self.flush();
                self.definitions.pop();
                self.frame.loosen();
            }
            Tag::Dt => self.end_term(),
            Tag::Dd => {
                self.flush();
                if !self.in_cell && self.definitions.last() == Some(&false) {
                    self.frame.close();
                }
            }
            Tag::Summary => {
                self.line.close();
                self.flush();
            }
            Tag::Td | Tag::Th if self.in_cell => {
                let text = self.line.end_cell();
                self.in_cell = false;
                let columns = element
                    .attr(Attr::Colspan)
                    .and_then(|it| it.trim().parse().ok())
                    .unwrap_or(1);
                if let Some(table) = &mut self.table {
                    table.cell(text, columns);
                }
            }
            Tag::Tr if self.table.is_some() => {
                if let Some(table) = &mut self.table {
                    table.end_row();
                }
            }
            Tag::Table => {
                if let Some(table) = self.table.take() {
                    let table = table.finish();
                    if !table.is_empty() {
                        self.frame.block(&table);
                    }
                } else {
                    self.flush();
                }
            }
            tag => {
                if let Some(level) = tag.heading() {
                    self.end_heading(level);
                } else if tag.is_block() {
                    self.flush();
                }
            }
        }
    }

    /// Ends the paragraph.
    fn flush(&mut self) {
        if self.in_cell {
            self.line.block_break();
        } else if self.heading {
            self.line.space();
        } else {
            let text = self.line.take();
            if !text.is_empty() {
                self.frame.block(&text);
            }
        }
    }

    fn block(&mut self, markdown: &str) {
        self.flush();
        if self.in_cell || self.heading {
            self.line.raw(markdown);
            self.flush();
        } else {
            self.frame.block(markdown);
        }
    }

    fn end_heading(&mut self, level: usize) {
        self.heading = false;
        if self.in_cell {
            return self.line.block_break();
        }
        let text = self.line.take();
        if !text.is_empty() {
            let text = text.replace('\n', " ");
            self.frame.block(&format!("{} {text}", "#".repeat(level)));
        }
    }

    fn begin_list(&mut self, id: NodeId, tag: Tag) {
        self.flush();
        // Right below the item that it belongs to.
        if !self.lists.is_empty() && self.frame.has_begun() {
            self.frame.tighten();
        }
        let start = || {
            self.dom
                .attr(id, Attr::Start)
                .and_then(|it| it.trim().parse().ok())
                .filter(|it| *it < 1_000_000)
                .unwrap_or(1)
        };
        self.lists.push(List {
            next: (tag == Tag::Ol).then(start),
            items: 0,
        });
    }

    fn begin_item(&mut self, _id: NodeId) {
        self.flush();
        let mut marker = "- ".to_owned();
        let mut items = 0;
        if let Some(list) = self.lists.last_mut() {
            items = list.items;
            list.items += 1;
            if let Some(next) = &mut list.next {
                marker = format!("{next}. ");
                *next += 1;
            }
        }
        if self.in_cell {
            self.line.raw(&marker);
            return;
        }
        if items > 0 {
            self.frame.tighten();
        }
        let rest = " ".repeat(marker.len());
        self.frame.open(marker, rest);
    }

    /// Terms of short definitions stand as they are; those of long ones are strong, and what
    /// follows is not indented: only a container that Markdown knows may be.
    fn begin_term(&mut self) {
        self.flush();
        if self.definitions.last() == Some(&true) {
            self.line.open(Mark::Strong);
        }
    }

    fn end_term(&mut self) {
        if self.definitions.last() == Some(&true) {
            self.line.close();
        }
        self.flush();
    }

    fn begin_definition(&mut self) {
        self.flush();
        if !self.in_cell && self.definitions.last() == Some(&false) {
            if !self.frame.is_empty() {
                self.frame.tighten();
            }
            self.frame.open(": ", "  ");
        }
    }

    fn begin_table(&mut self, id: NodeId) -> bool {
        self.flush();
        if self.plan.code_tables.contains(&id) {
            self.code_block(id);
            return false;
        }
        if self.plan.tables.contains(&id) && !self.in_cell {
            self.table = Some(Table::default());
        }
        true
    }

    fn code_block(&mut self, id: NodeId) {
        let text = code::text(self.dom, id);
        if text.is_empty() {
            return;
        }
        if self.in_cell || self.heading {
            self.flush();
            for line in text.lines() {
                self.line.raw(&code::span(line, self.in_cell));
                self.line.block_break();
            }
            return;
        }
        // In a table with line numbers, the code is what comes last.
        let is_code = |it: &NodeId| self.dom.tag(*it) == Tag::Pre;
        let listing = self.dom.tag(id) == Tag::Table;
        let code = if listing {
            self.dom.entered(id).filter(is_code).last()
        } else {
            None
        };
        let language = code::language(self.dom, code.unwrap_or(id));
        self.block(&fenced(&text, &language));
    }

    fn code(&mut self, id: NodeId) -> bool {
        let mut breaks = 0;
        for child in self.dom.entered(id) {
            match self.dom.tag(child) {
                // Blocks in code: the code is in them.
                Tag::Pre | Tag::Table | Tag::P => return true,
                Tag::Br => breaks += 1,
                _ => {}
            }
        }
        if breaks > 0 && !self.in_cell && !self.heading {
            self.code_block(id);
        } else {
            let text = self.dom.text_of(id);
            // What stands around it is put around it again.
            if text.starts_with(char::is_whitespace) {
                self.line.space();
            }
            self.line.raw(&code::span(&text, self.in_cell));
            if text.ends_with(char::is_whitespace) {
                self.line.space();
            }
        }
        false
    }

    fn formula(&mut self, formula: &str) {
        if formula.starts_with("$$") && !self.in_cell && !self.heading {
            self.block(formula);
        } else {
            let formula = if self.in_cell {
                formula.replace('|', "\\|")
            } else {
                formula.to_owned()
            };
            self.line.raw(&formula);
        }
    }

    /// Powers are marked, or ten to the nine reads as one hundred and nine.
    fn raised(&mut self, id: NodeId) -> bool {
        if self
            .dom
            .children(id)
            .any(|it| self.dom.element(it).is_some())
        {
            return true;
        }
        let text = self.dom.text_of(id);
        let text = text.trim();
        let is_power = text
            .chars()
            .all(|it| it.is_ascii_digit() || matches!(it, '-' | '+' | '−'));
        if is_power && !text.is_empty() && !self.line.is_empty() {
            self.line.raw("^");
        }
        self.line.text(text);
        false
    }

    fn input(&mut self, id: NodeId) {
        if self.dom.attr(id, Attr::Type) == Some("checkbox")
            && self.line.is_empty()
            && !self.lists.is_empty()
        {
            let checked = self.dom.attr(id, Attr::Checked).is_some();
            self.line.raw(if checked { "[x]" } else { "[ ]" });
            self.line.space();
        }
    }
}
