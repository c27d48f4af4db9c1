//! The records by which one entry of an archive describes another: long names, and the commit.

/// A value of the records `length key=value\n`; the last one counts.
pub(super) fn value<'a>(records: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut found = None;
    let mut rest = records;
    while !rest.is_empty() {
        let space = rest.iter().position(|it| *it == b' ')?;
        let length: usize = std::str::from_utf8(rest.get(..space)?).ok()?.parse().ok()?;
        let record = rest.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|it| *it == b'=')?;
        if record.get(..equals)? == key.as_bytes() {
            found = record.get(equals + 1..);
        }
        rest = rest.get(length..)?;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_broken_ones_end_nothing_else() {
        let records = b"12 path=a/b\n52 comment=63b476781ef5797d2d0bb25bdb8ccd5be77f32e5\n";
        assert_eq!(value(records, "path"), Some(&b"a/b"[..]));
        assert_eq!(value(records, "comment").unwrap().len(), 40);
        assert_eq!(value(records, "size"), None);
        for broken in [
            &b"0 a=b\n"[..],
            b"99 a=b\n",
            b"x",
            b"-1 a=b\n",
            b"4 a\n",
            b"3  \n",
        ] {
            assert_eq!(value(broken, "a"), None);
        }
    }
}
