//! Whether a page is a text, or stands in the place of one.
//!
//! A wall, an error or an empty shell is answered with a good status as often as not. Each is
//! known by what it says, and only on pages that say little else: an article about captchas, or
//! about the design of error pages, is an article.

use super::PageError;
use super::dom::{Attr, Dom, Tag};
use super::metadata::Found;

/// With fewer words there is nothing to quote.
pub(super) const MIN_WORDS: usize = 50;

/// A page with more words is no wall and no error, whatever it says.
const LONGEST_WALL: usize = 300;

/// The visible beginning of a page that is looked at for what walls say.
const LOOKED_AT: usize = 6000;

/// What tests for robots say.
const ROBOT_TESTS: &[&str] = &[
    "checking your browser",
    "checking if the site connection is secure",
    "verify you are human",
    "verify you are a human",
    "verify that you are human",
    "verify that you're not a robot",
    "verifying you are human",
    "are you a robot",
    "are you a human",
    "i'm not a robot",
    "i am not a robot",
    "not a robot",
    "complete the security check",
    "solve the captcha",
    "complete the captcha",
    "enter the characters you see",
    "unusual traffic from your",
    "unusual activity from your",
    "automated access",
    "pardon our interruption",
    "incapsula incident id",
    "request unsuccessful",
    "ddos protection by",
    "performance & security by cloudflare",
    "you have been blocked",
    "access to this page has been denied",
    "enable javascript and cookies to continue",
    "sicherheitsüberprüfung",
];

/// What they are called.
const ROBOT_TITLES: &[&str] = &[
    "just a moment",
    "attention required",
    "security check",
    "robot check",
    "bot verification",
    "captcha",
    "are you a robot",
    "access denied",
    "zugriff verweigert",
    "pardon our interruption",
    "ddos-guard",
];

/// What questions for consent say.
const CONSENT: &[&str] = &[
    "before you continue to",
    "we value your privacy",
    "manage your privacy",
    "accept all cookies",
    "we and our partners store",
    "wir und unsere partner",
    "zustimmung zur datenverarbeitung",
    "bevor sie fortfahren",
    "avant de continuer",
    "nous et nos partenaires",
];

/// What readers without a subscription are told.
const PAYWALLS: &[&str] = &[
    "subscribe to continue",
    "subscribe to read",
    "subscribe to keep reading",
    "subscribe now to read",
    "to continue reading",
    "to keep reading",
    "to read the full",
    "to read this article",
    "already a subscriber",
    "already have a subscription",
    "this article is for subscribers",
    "this content is for subscribers",
    "for subscribers only",
    "subscribers only",
    "this article is reserved for",
    "become a member to read",
    "create a free account to",
    "register to continue",
    "log in to continue reading",
    "unlock this article",
    "sie möchten weiterlesen",
    "jetzt weiterlesen",
    "diesen artikel weiterlesen",
    "nur für abonnenten",
    "exklusiv für abonnenten",
    "article réservé",
    "réservé aux abonnés",
    "déjà abonné",
    "contenido exclusivo para suscriptores",
    "exclusivo para suscriptores",
    "exclusivo para assinantes",
    "riservato agli abbonati",
    "alleen voor abonnees",
];

/// What pages that are not there are called. Each is all of a title, or its beginning or end.
const ERRORS: &[&str] = &[
    "404",
    "page not found",
    "not found",
    "error 404",
    "404 error",
    "404 not found",
    "page cannot be found",
    "the page you requested",
    "this page doesn't exist",
    "this page does not exist",
    "page does not exist",
    "page isn't available",
    "this page isn't available",
    "page no longer exists",
    "page has moved",
    "seite nicht gefunden",
    "nicht gefunden",
    "page introuvable",
    "page non trouvée",
    "página no encontrada",
    "página não encontrada",
    "pagina non trovata",
    "pagina niet gevonden",
    "nie znaleziono",
    "strona nie istnieje",
    "410 gone",
    "403 forbidden",
    "forbidden",
    "500 internal server error",
    "internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "service unavailable",
    "504 gateway",
    "bad gateway",
    "site not found",
];

/// Says why a page is no source, if it is none.
pub(super) fn judge(dom: &Dom, found: &Found, markdown: &str) -> Result<(), PageError> {
    let words = words(markdown);
    if words <= LONGEST_WALL {
        let seen = Seen::of(dom, found);
        if let Some(by) = seen.wall(dom, words) {
            return Err(PageError::BlockedBySite { by });
        }
        if let Some(title) = seen.error() {
            return Err(PageError::ErrorPage { title });
        }
        if seen.is_paid(dom, words, found.paid) {
            return Err(PageError::Paywalled);
        }
        if words < MIN_WORDS {
            return Err(if seen.wants_scripts(dom) {
                PageError::NeedsJavascript
            } else {
                PageError::NoContent { words }
            });
        }
    }
    Ok(())
}

/// The same for a text that somebody else read, of whose page nothing is known but its title.
pub(super) fn judge_text(title: &str, markdown: &str) -> Result<(), PageError> {
    let words = words(markdown);
    if words > LONGEST_WALL {
        return Ok(());
    }
    let seen = Seen::of_text(title, markdown, words);
    if words < 200
        && (ROBOT_TITLES.iter().any(|it| seen.title.starts_with(it)) || seen.says(ROBOT_TESTS))
    {
        let by = "it asks whether a person is reading";
        return Err(PageError::BlockedBySite { by });
    }
    if let Some(title) = seen.error() {
        return Err(PageError::ErrorPage { title });
    }
    if words < 250 && seen.says(PAYWALLS) {
        return Err(PageError::Paywalled);
    }
    if words < MIN_WORDS {
        return Err(PageError::NoContent { words });
    }
    Ok(())
}

/// The words of a text. Where words are not parted by spaces, two characters make one.
pub(super) fn words(text: &str) -> usize {
    let (mut words, mut characters) = (0, 0);
    for word in text.split_whitespace() {
        let unparted = word.chars().filter(|it| is_unparted(*it)).count();
        characters += unparted;
        words += usize::from(unparted == 0 && word.chars().any(char::is_alphanumeric));
    }
    words + characters / 2
}

/// Chinese, Japanese, Thai and their neighbours.
const fn is_unparted(character: char) -> bool {
    matches!(
        character,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'
    )
}

/// What a visitor sees first, in lower case.
struct Seen {
    title: String,
    heading: String,
    text: String,
    words: usize,
}

impl Seen {
    fn of(dom: &Dom, found: &Found) -> Self {
        let mut text = String::new();
        let mut heading = String::new();
        let body = dom.find(Dom::ROOT, Tag::Body).unwrap_or(Dom::ROOT);
        let mut walk = dom.walk(body);
        while let Some(step) = walk.next() {
            let super::dom::Step::Enter(id) = step else {
                continue;
            };
            match dom.tag(id) {
                Tag::Script | Tag::Style | Tag::Template => walk.pass_over(id),
                Tag::H1 | Tag::H2 if heading.is_empty() => {
                    heading = lower(&dom.text_of(id));
                }
                _ => {}
            }
            if let Some(piece) = dom.text(id)
                && text.len() < LOOKED_AT
            {
                text.extend(piece.chars().take(LOOKED_AT));
                text.push(' ');
            }
        }
        let title = if found.page_title.is_empty() {
            found.metadata.title.as_deref().unwrap_or_default()
        } else {
            &found.page_title
        };
        Self {
            title: lower(title),
            heading,
            words: words(&text),
            text: lower(&text),
        }
    }

    fn of_text(title: &str, markdown: &str, words: usize) -> Self {
        let heading = markdown.lines().find_map(|it| it.strip_prefix('#'));
        Self {
            title: lower(title),
            heading: lower(heading.unwrap_or_default().trim_start_matches('#')),
            text: lower(&markdown.chars().take(LOOKED_AT).collect::<String>()),
            words,
        }
    }

    fn says(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|it| self.text.contains(it))
    }

    fn wall(&self, dom: &Dom, words: usize) -> Option<&'static str> {
        let says_little = self.words < LONGEST_WALL && words < 200;
        if says_little
            && (ROBOT_TITLES.iter().any(|it| self.title.starts_with(it))
                || self.says(ROBOT_TESTS)
                || words < MIN_WORDS && has_robot_test(dom))
        {
            return Some("it asks whether a person is reading");
        }
        (words < 120 && self.says(CONSENT) && (words < MIN_WORDS || self.words < LONGEST_WALL))
            .then_some("it asks for consent first")
    }

    fn error(&self) -> Option<String> {
        let is_error = |title: &str| {
            let title = title.trim_matches(|it: char| !it.is_alphanumeric());
            ERRORS.iter().any(|error| {
                let ends = |rest: &str| rest.is_empty() || !rest.starts_with(char::is_alphanumeric);
                title.strip_prefix(error).is_some_and(ends)
                    || title.len() < 80
                        && title
                            .strip_suffix(error)
                            .is_some_and(|it| it.ends_with([' ', '-', '|', ':', '–']))
                    || error.len() > 12 && title.contains(error)
            })
        };
        if is_error(&self.title) {
            return Some(self.title.clone());
        }
        (self.heading.len() < 120 && is_error(&self.heading)).then(|| self.heading.clone())
    }

    fn is_paid(&self, dom: &Dom, words: usize, says_so: bool) -> bool {
        let told = self.says(PAYWALLS);
        told && words < 250 || says_so && (words < 150 || told) || words < 150 && has_paywall(dom)
    }

    fn wants_scripts(&self, dom: &Dom) -> bool {
        let asks = ["javascript", "enable js", "requires js"]
            .iter()
            .any(|it| self.text.contains(it));
        asks || has_empty_shell(dom)
    }
}

fn lower(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
        .replace('’', "'")
}

/// Elements that tests for robots put in.
fn has_robot_test(dom: &Dom) -> bool {
    dom.ids().filter_map(|id| dom.element(id)).any(|element| {
        let named = |name| element.attr(name).unwrap_or_default();
        let id = named(Attr::Id);
        let class = named(Attr::Class);
        matches!(
            id,
            "challenge-form"
                | "challenge-running"
                | "cf-wrapper"
                | "px-captcha"
                | "captcha"
                | "captcha-form"
        ) || class.split_ascii_whitespace().any(|it| {
            matches!(
                it,
                "g-recaptcha" | "h-captcha" | "cf-turnstile" | "captcha" | "px-captcha"
            )
        })
    })
}

fn has_paywall(dom: &Dom) -> bool {
    dom.ids().filter_map(|id| dom.element(id)).any(|element| {
        [Attr::Class, Attr::Id]
            .into_iter()
            .filter_map(|it| element.attr(it))
            .flat_map(str::split_ascii_whitespace)
            .any(|it| {
                let it = it.to_ascii_lowercase();
                (it.contains("paywall") || it.contains("regwall"))
                    && !it.contains("no-paywall")
                    && !it.contains("behind")
            })
    })
}

/// An element that a script is to fill, and nothing in it.
fn has_empty_shell(dom: &Dom) -> bool {
    let mut scripts = 0;
    let mut shell = false;
    for id in dom.ids() {
        let Some(element) = dom.element(id) else {
            continue;
        };
        if element.tag == Tag::Script && element.attr(Attr::Src).is_some() {
            scripts += 1;
        }
        let named = element.attr(Attr::Id).unwrap_or_default();
        let is_root = matches!(
            named,
            "root"
                | "app"
                | "__next"
                | "___gatsby"
                | "__nuxt"
                | "svelte"
                | "app-root"
                | "react-root"
                | "main-app"
        );
        shell |= is_root
            && dom
                .entered(id)
                .take(64)
                .filter_map(|it| dom.text(it))
                .all(|it| it.trim().is_empty());
    }
    shell && scripts > 0
}
