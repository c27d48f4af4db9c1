//! robots.txt as RFC 9309 and real sites write it, and as hostile ones do.

use std::time::{Duration, Instant};

use nova_web::{MAX_CRAWL_DELAY, MAX_ROBOTS_BYTES, Robots};
use proptest::prelude::*;

fn allows(file: &str, path: &str) -> bool {
    Robots::parse(file.as_bytes(), "nova").allows(path)
}

#[test]
fn the_group_that_names_us_replaces_that_for_all() {
    let file = "User-agent: *\nDisallow: /\n\nUser-agent: Nova\nDisallow: /x\n";
    assert!(allows(file, "/a"));
    assert!(!allows(file, "/x"));
    let other = Robots::parse(file.as_bytes(), "other");
    assert!(!other.allows("/a"));
}

#[test]
fn a_name_is_compared_as_a_whole_and_without_version() {
    for (name, is_us) in [
        ("nova", true),
        ("NOVA", true),
        ("Nova/1.0", true),
        ("nova (beta)", true),
        ("novabot", false),
        ("nova-bot", false),
        ("supernova", false),
        ("", false),
    ] {
        let file = format!("User-agent: {name}\nDisallow: /\n");
        assert_eq!(!allows(&file, "/a"), is_us, "{name}");
    }
}

#[test]
fn groups_with_several_names_and_several_groups_with_our_name_add_up() {
    let file = "user-agent: a\nuser-agent: nova\ndisallow: /1\nuser-agent: b\ndisallow: /2\n\
        sitemap: https://a.example/\nuser-agent: nova\ndisallow: /3";
    assert!(!allows(file, "/1"));
    assert!(allows(file, "/2"));
    assert!(!allows(file, "/3"));
    // A line about something else does not separate a name from its rules.
    let file = "user-agent: nova\nsitemap: https://a.example/\nuser-agent: b\ndisallow: /1";
    assert!(!allows(file, "/1"));
}

#[test]
fn a_group_of_ours_without_rules_allows_everything() {
    let file = "user-agent: nova\ndisallow:\n\nuser-agent: *\ndisallow: /";
    assert!(allows(file, "/a"));
}

#[test]
fn the_longest_pattern_decides_and_allowing_wins_a_tie() {
    for (rules, path, expected) in [
        ("disallow: /\nallow: /p", "/page", true),
        ("allow: /folder\ndisallow: /folder", "/folder/page", true),
        ("allow: /page\ndisallow: /*.htm", "/page.htm", false),
        ("allow: /page\ndisallow: /*.ph", "/page.php5", true),
        ("allow: /$\ndisallow: /", "/", true),
        ("allow: /$\ndisallow: /", "/page.htm", false),
        ("disallow: /fish", "/Fish", true),
        ("disallow: /fish", "/fishheads", false),
        ("disallow: /fish/", "/fish", true),
        ("disallow: /fish*", "/fish.html", false),
        ("disallow: /*.php", "/folder/any.php.file.html", false),
        ("disallow: /*.php$", "/filename.php?parameters", true),
        ("disallow: /*.php$", "/filename.php", false),
        ("disallow: /fish*.php", "/fishheads/catfish.php?id=1", false),
        ("disallow: /fish*.php", "/Fish.PHP", true),
        ("disallow: /*a*a$", "/a", true),
        ("disallow: /*a*a$", "/aa", false),
        ("disallow: /a$b", "/a$b", false),
        ("disallow: /?q=", "/?q=1", false),
        ("disallow: *", "/anything", false),
        ("disallow: page", "/page", true),
        ("disallow: /robots.txt\ndisallow: /", "/robots.txt", true),
    ] {
        let file = format!("user-agent: *\n{rules}\n");
        assert_eq!(allows(&file, path), expected, "{rules:?} {path}");
    }
}

#[test]
fn spellings_of_one_path_are_one() {
    for (pattern, path) in [
        ("/~joe", "/%7Ejoe"),
        ("/%7ejoe", "/~joe"),
        ("/a%3cd", "/a%3Cd"),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
    ] {
        let file = format!("user-agent: *\ndisallow: {pattern}");
        assert!(!allows(&file, path), "{pattern} {path}");
    }
    // An escaped slash is not a slash, and a broken escape is what it is.
    assert!(allows("user-agent: *\ndisallow: /a%2Fb", "/a/b"));
    assert!(!allows("user-agent: *\ndisallow: /a%2", "/a%2"));
}

#[test]
fn lines_end_in_any_way_and_hold_comments_and_spaces() {
    for file in [
        "user-agent: *\rdisallow: /",
        "user-agent: *\r\ndisallow: /\r\n",
        "\u{feff}User-Agent : * # all\n  DISALLOW :  /  # everything",
        "\u{0}\n:\nnonsense\nuser-agent:*\nbroken line\ndisallow:/",
    ] {
        assert!(!allows(file, "/a"), "{file:?}");
    }
    assert!(!Robots::parse(b"\xff\xfe\nuser-agent: *\ndisallow: /\xe9", "nova").allows("/%E9"));
}

#[test]
fn rules_before_any_name_are_nobodys() {
    assert!(allows("disallow: /\nuser-agent: *\ndisallow: /x", "/a"));
}

#[test]
fn a_pause_is_kept_up_to_a_bound() {
    for (value, expected) in [
        ("2", Some(Duration::from_secs(2))),
        ("0.5", Some(Duration::from_millis(500))),
        ("86400", Some(MAX_CRAWL_DELAY)),
        ("1e300", Some(MAX_CRAWL_DELAY)),
        ("0", None),
        ("-1", None),
        ("NaN", None),
        ("soon", None),
    ] {
        let file = format!("user-agent: *\ncrawl-delay: {value}");
        let robots = Robots::parse(file.as_bytes(), "nova");
        assert_eq!(robots.crawl_delay(), expected, "{value}");
    }
}

#[test]
fn a_file_that_is_made_to_be_slow_is_not() {
    let long = format!("/{}", "a".repeat(8000));
    let pattern = format!("/{}b\n", "*a".repeat(2000));
    for rule in [
        "disallow: /*b\n",
        "allow: /*a*a*a*a*b\n",
        &format!("allow: {pattern}"),
    ] {
        let mut file = "user-agent: *\n".to_owned();
        while file.len() < MAX_ROBOTS_BYTES + 1000 {
            file.push_str(rule);
        }
        let started = Instant::now();
        let robots = Robots::parse(file.as_bytes(), "nova");
        let _decided = robots.allows(&long);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[test]
fn what_is_behind_the_limit_is_not_read() {
    let mut file = "user-agent: *\n".to_owned();
    file.push_str(&"#".repeat(MAX_ROBOTS_BYTES));
    file.push_str("\ndisallow: /");
    assert!(allows(&file, "/a"));
}

/// What `*` and `$` mean, written down without a thought for time.
fn matches_slowly(pattern: &[u8], path: &[u8]) -> bool {
    match pattern.split_first() {
        None => true,
        Some((b'$', [])) => path.is_empty(),
        Some((b'*', rest)) => (0..=path.len()).any(|at| matches_slowly(rest, &path[at..])),
        Some((first, rest)) => path.first() == Some(first) && matches_slowly(rest, &path[1..]),
    }
}

proptest! {
    #[test]
    fn any_pattern_matches_what_its_meaning_says(pattern in "/[ab*]{0,8}[$]?", path in "/[ab]{0,10}") {
        let file = format!("user-agent: *\ndisallow: {pattern}");
        prop_assert_eq!(!allows(&file, &path), matches_slowly(pattern.as_bytes(), path.as_bytes()));
    }

    #[test]
    fn any_bytes_are_read(file in prop::collection::vec(any::<u8>(), 0..400), path in "/.{0,20}") {
        let _decided = Robots::parse(&file, "nova").allows(&path);
    }
}
