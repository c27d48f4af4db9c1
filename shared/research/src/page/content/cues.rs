//! Lines that lead away from a text, by what they begin with.
//!
//! "Read more: …" in the middle of a text is a link to another; "Photo: …" says who took a
//! picture. The languages are those that most of the web is written in.

/// What a line about other texts begins with.
const ELSEWHERE: [&str; 96] = [
    "read more",
    "read also",
    "also read",
    "read next",
    "see also",
    "related:",
    "related articles",
    "related stories",
    "related posts",
    "related content",
    "related topics",
    "more on this",
    "more from",
    "recommended",
    "you may also like",
    "you might also like",
    "don't miss",
    "view comments",
    "advertisement",
    "sign up for",
    "subscribe to",
    "subscribe now",
    "follow us",
    "follow the",
    "share this",
    "share on",
    "click here to",
    "download the",
    "submit your",
    "lesen sie auch",
    "lesen sie mehr",
    "lesen sie hier",
    "lesen sie dazu",
    "lies auch",
    "mehr zum thema",
    "mehr zu diesem thema",
    "mehr dazu",
    "mehr themen",
    "mehr kolumnen",
    "mehr artikel",
    "weitere artikel",
    "weitere beiträge",
    "weitere meldungen",
    "weitere themen",
    "weitere nachrichten",
    "weitere pressemitteilungen",
    "weitere informationen",
    "weitere infos",
    "weiterlesen",
    "zum weiterlesen",
    "auch interessant",
    "das könnte sie auch",
    "das könnte dich auch",
    "passend dazu",
    "siehe auch",
    "themen im artikel",
    "themen:",
    "entdecken sie",
    "zurück zu",
    "keine kommentare",
    "lea también",
    "lea más",
    "lea:",
    "lee también",
    "leer más",
    "le puede interesar",
    "te puede interesar",
    "vea también",
    "ver también",
    "mira también",
    "mira:",
    "temas relacionados",
    "noticias relacionadas",
    "síguenos",
    "suscríbete",
    "lire aussi",
    "à lire aussi",
    "voir aussi",
    "sur le même sujet",
    "articles les plus lus",
    "abonnez-vous",
    "leia também",
    "leia mais",
    "veja também",
    "saiba mais",
    "zobacz również",
    "zobacz też",
    "zobacz także",
    "czytaj też",
    "czytaj także",
    "czytaj również",
    "przeczytaj",
    "leggi anche",
    "lees ook",
    "läs mer",
    "läs också",
];

/// What a line about the origin of a picture or text begins with.
const ORIGIN: [&str; 27] = [
    "foto:",
    "fotos:",
    "foto ",
    "(foto",
    "bild:",
    "bilder:",
    "bildquelle",
    "quelle:",
    "(quelle",
    "quellen:",
    "abbildung:",
    "photo:",
    "photos:",
    "photo by",
    "photo credit",
    "image:",
    "image credit",
    "credit:",
    "credits:",
    "crédit",
    "©",
    "(c)",
    "fuente:",
    "kuva:",
    "zdjęcie:",
    "fot.",
    "source:",
];

/// What a line is, if it is not part of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cue {
    /// It leads elsewhere; what stands after the cue is so many characters long.
    Elsewhere(usize),
    /// It says where something is from.
    Origin,
}

/// The most characters that a line with a cue has.
pub(super) const LONGEST: u32 = 220;

/// Recognizes a line by its first words.
pub(super) fn cue(line: &str) -> Option<Cue> {
    let line = line
        .trim_start_matches(|it: char| {
            it.is_whitespace() || matches!(it, '•' | '-' | '–' | '>' | '»' | '→' | '*' | '¡' | '[')
        })
        .to_lowercase();
    if let Some(cue) = ELSEWHERE.iter().find(|it| line.starts_with(**it)) {
        let rest = line.get(cue.len()..).unwrap_or_default();
        let rest = rest.trim_matches(|it: char| !it.is_alphanumeric());
        return Some(Cue::Elsewhere(rest.chars().count()));
    }
    ORIGIN
        .iter()
        .any(|it| line.starts_with(it))
        .then_some(Cue::Origin)
}
