//! Whether two texts say the same, by their words.

/// So many of a text's words are compared: its most frequent.
const WORDS: usize = 64;

/// The words of a text, weighted by how often it has them and how few others do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprint {
    /// Sorted by word; the weights' squares add up to 1.
    words: Vec<(u32, f64)>,
}

impl Fingerprint {
    /// Of the words of a text and their counts, with what each word weighs.
    pub(crate) fn of(counts: &[(u32, u32)], weight: impl Fn(u32) -> f64) -> Self {
        let mut words: Vec<(u32, f64)> = counts
            .iter()
            .map(|&(word, count)| (word, f64::from(count).sqrt() * weight(word)))
            .collect();
        words.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        words.truncate(WORDS);
        words.sort_by_key(|it| it.0);
        let length = words.iter().map(|it| it.1 * it.1).sum::<f64>().sqrt();
        if length > 0.0 {
            for (_, weight) in &mut words {
                *weight /= length;
            }
        }
        Self { words }
    }

    /// From 0, no word in common, to 1, the same words as often (cosine).
    pub(crate) fn similarity(&self, other: &Self) -> f64 {
        let (mut mine, mut theirs) = (self.words.iter(), other.words.iter());
        let (mut a, mut b) = (mine.next(), theirs.next());
        let mut sum = 0.0;
        while let (Some(left), Some(right)) = (a, b) {
            match left.0.cmp(&right.0) {
                std::cmp::Ordering::Less => a = mine.next(),
                std::cmp::Ordering::Greater => b = theirs.next(),
                std::cmp::Ordering::Equal => {
                    sum += left.1 * right.1;
                    (a, b) = (mine.next(), theirs.next());
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_similar_and_others_are_not() {
        let of = |counts: &[(u32, u32)]| Fingerprint::of(counts, |_| 1.0);
        let one = of(&[(1, 2), (5, 1), (9, 1)]);
        assert!((one.similarity(&one) - 1.0).abs() < 1e-9);
        assert!(one.similarity(&of(&[(1, 2), (5, 1), (8, 1)])) > 0.7);
        assert!(one.similarity(&of(&[(2, 2)])) < 1e-9);
        assert!(of(&[]).similarity(&one) < 1e-9);
    }
}
