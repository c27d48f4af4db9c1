//! Cuts a file into its statements, so that a failure can be named by statement and line.
//!
//! The rules are those of `psql`: a semicolon ends a statement unless it stands in quotes, in a
//! dollar-quoted body, in a comment, in parentheses, or between the `begin atomic` and `end` of a
//! function written in SQL.

use std::ops::Range;

/// One statement, without the comments before it and the semicolon after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// The line of the file in which it starts, from 1.
    pub(super) line: usize,
    /// Its text.
    pub(super) text: String,
}

/// A quote, comment or parenthesis that the file never closes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    pub(super) line: usize,
    pub(super) problem: &'static str,
}

/// What a no-transaction statement does, as far as resuming it depends on that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Concurrent {
    /// Builds `index` on `table`; an attempt that dies leaves the index behind, invalid.
    BuildIndex { index: String, table: String },
    /// Drops `index`; an attempt that dies leaves it behind, invalid.
    DropIndex { index: String },
    /// Something that can simply be run again.
    Other,
}

/// Cuts `text` into statements.
pub(super) fn split(text: &str) -> Result<Vec<Statement>, Unfinished> {
    let mut statements = Vec::new();
    let mut tokens = Tokens::new(text);
    let mut current: Option<Open> = None;
    while let Some((range, token)) = tokens.next()? {
        if token == Token::Semicolon && current.as_ref().is_none_or(Open::may_end) {
            statements.extend(current.take().map(|open| open.finish(text, range.start)));
            continue;
        }
        let open = current.get_or_insert_with(|| Open::at(range.start));
        open.see(token, text.get(range).unwrap_or_default());
    }
    match current {
        Some(open) if !open.may_end() => Err(Unfinished {
            line: line_of(text, open.start),
            problem: "a parenthesis or function body that opens in this statement is never closed",
        }),
        last => {
            statements.extend(last.map(|open| open.finish(text, text.len())));
            Ok(statements)
        }
    }
}

/// The line of a byte offset, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

impl Statement {
    /// Why this statement has no place in a migration, if so.
    pub(super) fn not_for_a_migration(&self) -> Option<&'static str> {
        let words = self.words();
        let mut words = words.iter().map(String::as_str);
        match (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        ) {
            (
                "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint"
                | "release",
                _,
            )
            | ("prepare", "transaction") => Some(
                "the runner opens and ends the transaction, because the history row belongs in it",
            ),
            ("reset" | "discard", _) => Some("the runner sets the role and the time limits"),
            ("set", "local" | "constraints") => None,
            ("set", _) => Some(
                "a plain SET outlives this migration; write SET LOCAL, or -- nova:as=session for a role",
            ),
            _ => None,
        }
    }

    /// The line of the file for a 1-based character position inside the statement.
    pub(super) fn line_at(&self, position: usize) -> usize {
        let before = self.text.chars().take(position.saturating_sub(1));
        self.line + before.filter(|character| *character == '\n').count()
    }

    /// What is being built or dropped concurrently.
    pub(super) fn concurrent(&self) -> Concurrent {
        let words = self.words();
        let words: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .filter(|word| *word != "unique")
            .collect();
        let (building, rest) = match words.as_slice() {
            ["create", "index", "concurrently", rest @ ..] => (true, rest),
            ["drop", "index", "concurrently", rest @ ..] => (false, rest),
            _ => return Concurrent::Other,
        };
        let rest = rest.strip_prefix(&["if"]).unwrap_or(rest);
        let rest = rest.strip_prefix(&["not"]).unwrap_or(rest);
        let rest = rest.strip_prefix(&["exists"]).unwrap_or(rest);
        match rest {
            [index, "on", "only", table, ..] | [index, "on", table, ..] if building => {
                Concurrent::BuildIndex {
                    index: (*index).to_owned(),
                    table: (*table).to_owned(),
                }
            }
            [index] if !building => Concurrent::DropIndex {
                index: (*index).to_owned(),
            },
            _ => Concurrent::Other,
        }
    }

    /// Whether a word, in lower case, stands anywhere in the statement outside of quotes.
    pub(super) fn has_word(&self, word: &str) -> bool {
        let mut tokens = Tokens::new(&self.text);
        while let Ok(Some((range, token))) = tokens.next() {
            let text = self.text.get(range).unwrap_or_default();
            if matches!(token, Token::Word) && text.eq_ignore_ascii_case(word) {
                return true;
            }
        }
        false
    }

    /// The names and key words at the start of the statement: words in lower case, quoted names
    /// as they are, and `schema.name` as one.
    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut tokens = Tokens::new(&self.text);
        let mut glue = false;
        while let Ok(Some((range, token))) = tokens.next() {
            let text = self.text.get(range).unwrap_or_default();
            let word = match token {
                Token::Word => text.to_lowercase(),
                Token::QuotedName => text.to_owned(),
                Token::Other if text == "." => ".".to_owned(),
                _ => break,
            };
            let dot = word == ".";
            match words.last_mut() {
                Some(last) if glue || dot => last.push_str(&word),
                _ => words.push(word),
            }
            glue = dot;
        }
        words
    }
}

/// A statement whose end has not been seen yet.
struct Open {
    start: usize,
    parentheses: usize,
    /// How many `begin` and `case` of an SQL function's body are open.
    bodies: usize,
    first_words: Vec<String>,
}

impl Open {
    fn at(start: usize) -> Self {
        Self {
            start,
            parentheses: 0,
            bodies: 0,
            first_words: Vec::new(),
        }
    }

    fn see(&mut self, token: Token, text: &str) {
        match token {
            Token::OpenParenthesis => self.parentheses += 1,
            Token::CloseParenthesis => self.parentheses = self.parentheses.saturating_sub(1),
            Token::Word => self.see_word(&text.to_lowercase()),
            _ => {}
        }
    }

    fn see_word(&mut self, word: &str) {
        if self.first_words.len() < 4 {
            self.first_words.push(word.to_owned());
        }
        if self.parentheses > 0 || !self.makes_a_function() {
            return;
        }
        match word {
            "begin" => self.bodies += 1,
            "case" if self.bodies > 0 => self.bodies += 1,
            "end" => self.bodies = self.bodies.saturating_sub(1),
            _ => {}
        }
    }

    fn makes_a_function(&self) -> bool {
        let words: Vec<&str> = self.first_words.iter().map(String::as_str).collect();
        matches!(
            words.as_slice(),
            ["create", "function" | "procedure", ..]
                | ["create", "or", "replace", "function" | "procedure", ..]
        )
    }

    fn may_end(&self) -> bool {
        self.parentheses == 0 && self.bodies == 0
    }

    fn finish(self, text: &str, end: usize) -> Statement {
        let line = line_of(text, self.start);
        let text = text
            .get(self.start..end)
            .unwrap_or_default()
            .trim_end()
            .to_owned();
        Statement { line, text }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Word,
    QuotedName,
    OpenParenthesis,
    CloseParenthesis,
    Semicolon,
    Other,
}

/// The tokens of a text; every delimiter is ASCII, so byte offsets are character boundaries.
struct Tokens<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    fn next(&mut self) -> Result<Option<(Range<usize>, Token)>, Unfinished> {
        self.skip_blanks_and_comments()?;
        let start = self.at;
        let Some(&byte) = self.bytes.get(start) else {
            return Ok(None);
        };
        let token = match byte {
            b'\'' => {
                self.quoted(b'\'', false)?;
                Token::Other
            }
            b'"' => {
                self.quoted(b'"', false)?;
                Token::QuotedName
            }
            b'$' if self.dollar_quoted()? => Token::Other,
            byte if starts_word(byte) => {
                self.advance_while(|byte| {
                    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
                });
                let escapes = matches!(self.bytes.get(start..self.at), Some(b"e" | b"E"));
                if escapes && self.bytes.get(self.at) == Some(&b'\'') {
                    self.quoted(b'\'', true)?;
                    Token::Other
                } else {
                    Token::Word
                }
            }
            single => {
                self.at += 1;
                match single {
                    b'(' => Token::OpenParenthesis,
                    b')' => Token::CloseParenthesis,
                    b';' => Token::Semicolon,
                    _ => Token::Other,
                }
            }
        };
        Ok(Some((start..self.at, token)))
    }

    fn skip_blanks_and_comments(&mut self) -> Result<(), Unfinished> {
        loop {
            self.advance_while(|byte| byte.is_ascii_whitespace());
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            if rest.starts_with(b"--") {
                self.advance_while(|byte| byte != b'\n');
            } else if rest.starts_with(b"/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Block comments nest in PostgreSQL.
    fn block_comment(&mut self) -> Result<(), Unfinished> {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(rest) = self.bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.at += 1;
            }
        }
        Err(self.unfinished(start, "this comment is never closed"))
    }

    /// A doubled quote needs no rule of its own: it closes one token and opens the next.
    fn quoted(&mut self, quote: u8, backslash_escapes: bool) -> Result<(), Unfinished> {
        let start = self.at;
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            if byte == quote {
                if self.bytes.get(self.at) != Some(&quote) {
                    return Ok(());
                }
                self.at += 1;
            } else if byte == b'\\' && backslash_escapes {
                self.at += 1;
            }
        }
        Err(self.unfinished(start, "this quote is never closed"))
    }

    /// `$tag$ … $tag$`; false when the dollar belongs to something else, such as `$1`.
    fn dollar_quoted(&mut self) -> Result<bool, Unfinished> {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let Some((tag, body)) = rest.strip_prefix('$').and_then(|rest| rest.split_once('$')) else {
            return Ok(false);
        };
        let is_tag = tag
            .bytes()
            .all(|byte| starts_word(byte) || byte.is_ascii_digit())
            && !tag.starts_with(|first: char| first.is_ascii_digit());
        if !is_tag {
            return Ok(false);
        }
        let closing = format!("${tag}$");
        let Some(length) = body.find(&closing) else {
            return Err(self.unfinished(start, "this dollar quote is never closed"));
        };
        self.at += 2 * closing.len() + length;
        Ok(true)
    }

    fn advance_while(&mut self, belongs: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|byte| belongs(*byte)) {
            self.at += 1;
        }
    }

    fn unfinished(&self, start: usize, problem: &'static str) -> Unfinished {
        Unfinished {
            line: line_of(self.text, start),
            problem,
        }
    }
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        split(sql)
            .unwrap()
            .into_iter()
            .map(|statement| statement.text)
            .collect()
    }

    #[test]
    fn semicolons_in_quotes_bodies_and_comments_do_not_end_a_statement() {
        let statements = [
            "select ';', ''';', E'\\';', \"a;\"\"b\"",
            "select 1 -- not ; here\n  + 2 /* nor ; /* nested ; */ ; */",
            "do $$ begin perform 1; end $$",
            "create function f() returns void language plpgsql as $body$ begin x := $$;$$; end $body$",
            "create function g(a int) returns int begin atomic select case when a > 1 then 2 end; select 3; end",
            "create rule r as on insert to t do (select 1; select 2)",
            "select $1, a$b$c",
            "create table begin_end (\"case\" text)",
        ];
        assert_eq!(texts(&statements.join(";\n")), statements);
        assert_eq!(
            texts(&format!(";;{};", statements.join(";;\n"))),
            statements
        );
    }

    #[test]
    fn a_statement_knows_its_line() {
        let sql = "-- nova: title\n\n/* a\n b */ select 1;\n\nselect\n  2, nonsense;\n";
        let statements = split(sql).unwrap();
        assert_eq!(statements[0].line, 4);
        assert_eq!(statements[1].line, 6);
        let position = 1 + statements[1].text.find("nonsense").unwrap();
        assert_eq!(statements[1].line_at(position), 7);
    }

    #[test]
    fn what_is_never_closed_is_named_by_line() {
        for (sql, line) in [
            ("\n'a", 2),
            ("/* /* */", 1),
            ("\n\nselect $x$ $$", 3),
            ("select (1;", 1),
        ] {
            assert_eq!(split(sql).unwrap_err().line, line, "{sql}");
        }
    }

    #[test]
    fn concurrent_index_statements_are_recognised() {
        let concurrent = |sql: &str| split(sql).unwrap()[0].concurrent();
        let build = |index: &str, table: &str| Concurrent::BuildIndex {
            index: index.to_owned(),
            table: table.to_owned(),
        };
        assert_eq!(
            concurrent(
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"A b\" ON ONLY public.T USING btree (x)"
            ),
            build("\"A b\"", "public.t")
        );
        assert_eq!(
            concurrent("create index concurrently i on t (x) where y = 'z'"),
            build("i", "t")
        );
        assert_eq!(
            concurrent("drop index concurrently if exists public.i"),
            Concurrent::DropIndex {
                index: "public.i".to_owned()
            }
        );
        assert_eq!(
            concurrent("create index concurrently on t (x)"),
            Concurrent::Other
        );
        assert_eq!(concurrent("vacuum t"), Concurrent::Other);
    }
}
