//! Bytes to text, when characters may be split between chunks.

/// Turns chunks of bytes into text. What is not UTF-8 becomes `U+FFFD`, and a character whose
/// bytes lie in two chunks is put together: the text does not depend on where chunks end.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// The beginning of a character, at most three bytes.
    carried: Vec<u8>,
}

impl Decoder {
    /// A decoder at the beginning of a text.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            carried: Vec::new(),
        }
    }

    /// Hands the text of a chunk on, in pieces.
    pub fn decode(&mut self, chunk: &[u8], mut text: impl FnMut(&str)) {
        let mut rest = chunk;
        // One byte at a time until the carried character is complete or known to be wrong.
        while !self.carried.is_empty() {
            let Some((&byte, after)) = rest.split_first() else {
                return;
            };
            self.carried.push(byte);
            match std::str::from_utf8(&self.carried) {
                Ok(character) => {
                    text(character);
                    self.carried.clear();
                    rest = after;
                }
                Err(error) if error.error_len().is_some() => {
                    // The bytes before this one were wrong; this one may begin something.
                    text("\u{fffd}");
                    self.carried.clear();
                }
                Err(_unfinished) => rest = after,
            }
        }
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text(valid);
                    return;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    if let Ok(valid) = std::str::from_utf8(valid)
                        && !valid.is_empty()
                    {
                        text(valid);
                    }
                    let Some(wrong) = error.error_len() else {
                        self.carried.extend_from_slice(after);
                        return;
                    };
                    text("\u{fffd}");
                    rest = after.get(wrong..).unwrap_or_default();
                }
            }
        }
    }

    /// Ends the text: half a character that is still carried is wrong.
    pub fn finish(&mut self, mut text: impl FnMut(&str)) {
        if !self.carried.is_empty() {
            self.carried.clear();
            text("\u{fffd}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_does_not_depend_on_where_chunks_end(
            bytes in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(0xe2), Just(0x82), Just(0xac), Just(0xf0), Just(0x9f)],
                0..60,
            ),
            size in 1_usize..5,
        ) {
            let mut decoder = Decoder::new();
            let mut text = String::new();
            for chunk in bytes.chunks(size) {
                decoder.decode(chunk, |it| text.push_str(it));
            }
            decoder.finish(|it| text.push_str(it));
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
