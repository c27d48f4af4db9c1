//! Blocks under each other, within quotes, items and notes.

/// Nested deeper, lists and quotes are written at this level: each level costs each line its
/// indentation, and a page of nothing but levels would come out a hundred times as long.
const MAX_NESTING: usize = 10;

/// A quote, an item or a note that is open.
#[derive(Debug)]
struct Container {
    /// What its first line begins with.
    first: String,
    /// What its other lines begin with.
    rest: String,
    begun: bool,
}

/// The blocks that are written.
#[derive(Debug, Default)]
pub(super) struct Frame {
    out: String,
    containers: Vec<Container>,
    /// How many containers were opened beyond the last that is written.
    beyond: usize,
    tight: bool,
}

impl Frame {
    /// Opens a container. The first line in it begins with `first`, the others with `rest`.
    pub(super) fn open(&mut self, first: impl Into<String>, rest: impl Into<String>) {
        if self.containers.len() >= MAX_NESTING {
            self.beyond += 1;
            return;
        }
        self.containers.push(Container {
            first: first.into(),
            rest: rest.into(),
            begun: false,
        });
    }

    /// Closes the container that was opened last. One in which nothing was written leaves nothing.
    pub(super) fn close(&mut self) {
        if self.beyond > 0 {
            self.beyond -= 1;
        } else {
            self.containers.pop();
        }
    }

    /// Whether the innermost container holds something.
    pub(super) fn has_begun(&self) -> bool {
        self.containers.last().is_some_and(|it| it.begun)
    }

    /// The next block follows without an empty line, if it is the first of a container.
    pub(super) fn tighten(&mut self) {
        self.tight = true;
    }

    /// Takes that back.
    pub(super) fn loosen(&mut self) {
        self.tight = false;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Whether the last block is a rule.
    pub(super) fn ends_with_rule(&self) -> bool {
        self.out.ends_with("\n\n---")
    }

    /// Writes a block of one or more lines.
    pub(super) fn block(&mut self, block: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
            if !std::mem::take(&mut self.tight) {
                let blank = self.out.len();
                for container in self.containers.iter().take_while(|it| it.begun) {
                    self.out.push_str(&container.rest);
                }
                self.trim_end(blank);
                self.out.push('\n');
            }
        }
        self.tight = false;
        for (number, line) in block.split('\n').enumerate() {
            if number > 0 {
                self.out.push('\n');
            }
            let start = self.out.len();
            for container in &mut self.containers {
                self.out.push_str(if container.begun {
                    &container.rest
                } else {
                    &container.first
                });
                container.begun = true;
            }
            if line.is_empty() {
                self.trim_end(start);
            }
            self.out.push_str(line);
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn trim_end(&mut self, not_before: usize) {
        while self.out.len() > not_before && self.out.ends_with(' ') {
            self.out.pop();
        }
    }
}
