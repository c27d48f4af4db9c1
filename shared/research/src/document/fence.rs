//! Lines that open or close a block of code, and what may stand before them on the line.

/// The marks of a fence: three or more backticks or tildes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fence {
    mark: char,
    length: usize,
    /// Nothing follows: only such a line can close.
    bare: bool,
}

impl Fence {
    /// Reads the fence that a text begins with.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mark = text.chars().next().filter(|it| matches!(it, '`' | '~'))?;
        let rest = text.trim_start_matches(mark);
        let length = text.len() - rest.len();
        let opens = length >= 3 && (mark == '~' || !rest.contains('`'));
        opens.then(|| Self {
            mark,
            length,
            bare: rest.trim_matches([' ', '\t']).is_empty(),
        })
    }

    /// Whether this line closes a block that the other one opened.
    pub(super) fn closes(self, opened: Self) -> bool {
        self.bare && self.mark == opened.mark && self.length >= opened.length
    }

    /// Writes a line that closes the block.
    pub(super) fn write_close(self, column: usize, out: &mut String) {
        out.extend(std::iter::repeat_n(' ', column));
        out.extend(std::iter::repeat_n(self.mark, self.length));
    }
}

/// What a line begins with: white space, and the marks of quotations and list items.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// The column of the first character that is not white space.
    pub(super) indent: usize,
    /// The column and the byte in which the text begins, behind the marks.
    pub(super) column: usize,
    pub(super) offset: usize,
    /// There is a mark of a quotation.
    pub(super) quotes: bool,
    /// There is a mark of a list item.
    pub(super) lists: bool,
    /// The first mark is a number that a paragraph does not give way to.
    pub(super) needs_blank: bool,
    /// There is a mark whose text may be indented in another way: a footnote, a definition.
    pub(super) others: bool,
    /// A mark is followed by so much white space that the text is indented code.
    pub(super) code: bool,
}

impl Start {
    pub(super) fn read(line: &str) -> Self {
        let mut start = Self::default();
        start.skip_white_space(line);
        start.indent = start.column;
        while let Some(length) = start.mark(line) {
            start.offset += length;
            start.column += length;
            let before = start.column;
            start.skip_white_space(line);
            start.code |= start.column - before > 4;
        }
        start
    }

    /// Whether there is a mark of any kind.
    pub(super) const fn has_marks(&self) -> bool {
        self.quotes || self.lists || self.others
    }

    fn skip_white_space(&mut self, line: &str) {
        for byte in line.bytes().skip(self.offset) {
            match byte {
                b' ' => self.column += 1,
                b'\t' => self.column += 4 - self.column % 4,
                _ => return,
            }
            self.offset += 1;
        }
    }

    /// The length of the mark that comes next.
    fn mark(&mut self, line: &str) -> Option<usize> {
        let rest = line.get(self.offset..)?;
        let spaced = |length: usize| {
            rest.get(length..)
                .is_some_and(|it| it.is_empty() || it.starts_with([' ', '\t']))
        };
        let first = rest.chars().next()?;
        match first {
            '>' => {
                self.quotes = true;
                Some(1)
            }
            '-' | '+' | '*' if spaced(1) => {
                self.lists = true;
                Some(1)
            }
            '0'..='9' => {
                let digits = rest.bytes().take(10).take_while(u8::is_ascii_digit).count();
                let closed = rest
                    .get(digits..)
                    .is_some_and(|it| it.starts_with(['.', ')']));
                if digits > 9 || !closed || !spaced(digits + 1) {
                    return None;
                }
                self.needs_blank |= !self.lists && !self.quotes && rest.get(..digits) != Some("1");
                self.lists = true;
                Some(digits + 1)
            }
            ':' if spaced(1) => {
                self.others = true;
                Some(1)
            }
            '[' if rest.starts_with("[^") => {
                let length =
                    rest.find(|it: char| it == ']' || it.is_whitespace() || "<`".contains(it))?;
                let closed = rest.get(length..).is_some_and(|it| it.starts_with("]:"));
                self.others |= closed;
                closed.then_some(length + 2)
            }
            _ => None,
        }
    }
}
