//! What a guideline names, beside what was uploaded.
//!
//! A file is the one that a guideline names if it has the same path. A browser gives only the last
//! part of a path, and a folder that is uploaded has parts in front: so it is also the one whose
//! path ends in the other's, as long as that can be no other.

use std::collections::HashMap;

use super::name::{FileName, composed, last_part};

/// The place in the document of a file that the guideline does not name: after all others. No
/// guideline names so many.
const AFTER_ALL: i64 = 1 << 32;

/// A file that the guideline names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The path, as the guideline has it.
    pub path: String,
    /// The name of the upload that it is; `None` while it is missing.
    pub uploaded_as: Option<String>,
}

/// The files of a guideline, each with the upload that it is.
pub fn compare<'a>(paths: &[String], uploaded: impl IntoIterator<Item = &'a str>) -> Vec<Expected> {
    let mut uploads: HashMap<&str, Vec<&str>> = HashMap::new();
    for name in uploaded {
        uploads.entry(last_part(name)).or_default().push(name);
    }
    let keys: Vec<String> = paths.iter().map(|path| composed(path)).collect();
    let same = |key: &str| {
        let alike = uploads.get(last_part(key))?;
        alike.iter().copied().find(|name| *name == key)
    };
    // Whoever has a file of the very same path takes no part in the search for the others.
    let (mut by_path, mut wanted) = (HashMap::new(), HashMap::<&str, Vec<&str>>::new());
    for key in &keys {
        match same(key) {
            Some(name) => drop(by_path.insert(name, key)),
            None => wanted.entry(last_part(key)).or_default().push(key),
        }
    }
    let only = |key: &str| {
        let alike = uploads.get(last_part(key))?.iter().copied();
        let name =
            single(alike.filter(|name| !by_path.contains_key(name) && end_alike(name, key)))?;
        let rivals = wanted.get(last_part(key))?.iter().copied();
        single(rivals.filter(|rival| end_alike(name, rival))).map(|_| name)
    };
    let found = keys.iter().map(|key| same(key).or_else(|| only(key)));
    let found: Vec<_> = found.map(|name| name.map(str::to_owned)).collect();
    let rows = paths.iter().zip(found);
    rows.map(|(path, uploaded_as)| Expected {
        path: path.clone(),
        uploaded_as,
    })
    .collect()
}

/// The place of a file in the document: as the guideline names it, and after all others if it does
/// not name it, or more than one that it could be.
pub fn position(paths: &[String], name: &FileName) -> i64 {
    let keys = || paths.iter().map(|path| composed(path)).zip(0_i64..);
    let same = keys().find(|(key, _)| key == name.as_str());
    let alike = || single(keys().filter(|(key, _)| end_alike(key, name.as_str())));
    same.or_else(alike).map_or(AFTER_ALL, |(_, place)| place)
}

/// Whether one path is the end of the other, in whole parts.
fn end_alike(one: &str, other: &str) -> bool {
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    ends(one, other) || ends(other, one)
}

/// The item of which there is exactly one.
fn single<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}
