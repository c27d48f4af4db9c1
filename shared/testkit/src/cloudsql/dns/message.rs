//! Messages of DNS (RFC 1035): one question, and an answer without compression.

use std::net::Ipv4Addr;

use super::zone::Record;

pub(super) const A: u16 = 1;
pub(super) const CNAME: u16 = 5;
pub(super) const TXT: u16 = 16;
/// A pseudo-record in which a client says how much it takes by UDP (RFC 6891).
const OPT: u16 = 41;
const INTERNET: u16 = 1;

const HEADER_BYTES: usize = 12;
/// What everybody takes by UDP.
const SMALLEST_LIMIT: usize = 512;
/// Soon, so that a test which changes a record is believed.
const TIME_TO_LIVE_SECONDS: u32 = 1;

const IS_RESPONSE: u16 = 0x8000;
const IS_AUTHORITATIVE: u16 = 0x0400;
const IS_TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;
const SERVER_FAILURE: u16 = 2;
const NO_SUCH_NAME: u16 = 3;

#[derive(Debug)]
pub(super) struct Question {
    id: u16,
    flags: u16,
    pub(super) name: String,
    pub(super) kind: u16,
    /// The question as it came, to be repeated in the answer.
    bytes: Vec<u8>,
    /// The most that the client takes by UDP.
    limit: usize,
}

impl Question {
    /// `None` when it is not a message with exactly one question.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let is_single = u16_at(bytes, 4)? == 1;
        let mut labels = Vec::new();
        let mut at = HEADER_BYTES;
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = bytes.get(at..at + length).filter(|_| length < 64)?;
            labels.push(String::from_utf8_lossy(label).into_owned());
            at += length;
        }
        let kind = u16_at(bytes, at)?;
        at += 4;
        let question = bytes.get(HEADER_BYTES..at)?;
        let has_more = u16_at(bytes, 10)? > 0 && bytes.get(at) == Some(&0);
        let offered = (has_more && u16_at(bytes, at + 1)? == OPT)
            .then(|| u16_at(bytes, at + 3))
            .flatten();
        is_single.then(|| Self {
            id: u16_at(bytes, 0).unwrap_or_default(),
            flags: u16_at(bytes, 2).unwrap_or_default(),
            name: labels.join("."),
            kind,
            bytes: question.to_vec(),
            limit: usize::from(offered.unwrap_or_default()).max(SMALLEST_LIMIT),
        })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes(pair.try_into().ok()?))
}

#[derive(Debug)]
pub(super) struct Response {
    code: u16,
    answers: Vec<Vec<u8>>,
}

impl Response {
    const fn with_code(code: u16) -> Self {
        Self {
            code,
            answers: Vec::new(),
        }
    }

    pub(super) const fn found() -> Self {
        Self::with_code(0)
    }

    pub(super) const fn unknown_name() -> Self {
        Self::with_code(NO_SUCH_NAME)
    }

    pub(super) const fn failed() -> Self {
        Self::with_code(SERVER_FAILURE)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    pub(super) fn add(&mut self, name: &str, record: &Record) {
        let data = match record {
            Record::A(address) => address_bytes(*address),
            Record::Cname(target) => name_bytes(target),
            Record::Txt(text) => text_bytes(text),
        };
        let mut answer = name_bytes(name);
        answer.extend(record.kind().to_be_bytes());
        answer.extend(INTERNET.to_be_bytes());
        answer.extend(TIME_TO_LIVE_SECONDS.to_be_bytes());
        answer.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        answer.extend(data);
        self.answers.push(answer);
    }

    /// Over UDP, what is too long is left out, and the client asks again by TCP.
    pub(super) fn into_bytes(self, question: &Question, tcp: bool) -> Vec<u8> {
        let length = self.answers.iter().map(Vec::len).sum::<usize>();
        let whole = HEADER_BYTES + question.bytes.len() + length;
        let is_truncated = !tcp && whole > question.limit;
        let answers = if is_truncated {
            Vec::new()
        } else {
            self.answers
        };
        let mut flags = IS_RESPONSE | IS_AUTHORITATIVE | RECURSION_AVAILABLE | self.code;
        flags |= question.flags & RECURSION_DESIRED;
        if is_truncated {
            flags |= IS_TRUNCATED;
        }
        let count = u16::try_from(answers.len()).unwrap_or(u16::MAX);
        let header = [question.id, flags, 1, count, 0, 0];
        let mut bytes: Vec<u8> = header.iter().flat_map(|it| it.to_be_bytes()).collect();
        bytes.extend(&question.bytes);
        bytes.extend(answers.concat());
        bytes
    }
}

fn address_bytes(address: Ipv4Addr) -> Vec<u8> {
    address.octets().to_vec()
}

fn name_bytes(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.trim_end_matches('.').split('.') {
        push_short(&mut bytes, label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A text record holds strings of up to 255 bytes, which readers put together.
fn text_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in text.as_bytes().chunks(255) {
        push_short(&mut bytes, part);
    }
    bytes
}

fn push_short(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
    bytes.extend(part);
}
