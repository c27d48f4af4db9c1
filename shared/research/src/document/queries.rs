//! Answers of searches, put under the queries that they answer.

/// Groups answers by their query: queries in the order in which they first appear, answers within
/// one in the order in which they come. This is the order of the blocks in
/// [`Section::ResearchResults`](super::Section::ResearchResults).
///
/// ```
/// use nova_research::document::by_query;
///
/// let answers = [(1, "a?"), (2, "b?"), (3, "a?")];
/// let groups = by_query(answers, |answer| answer.1);
/// assert_eq!(groups, [("a?", vec![(1, "a?"), (3, "a?")]), ("b?", vec![(2, "b?")])]);
/// ```
pub fn by_query<Answer, Query>(
    answers: impl IntoIterator<Item = Answer>,
    query: impl Fn(&Answer) -> Query,
) -> Vec<(Query, Vec<Answer>)>
where
    Query: Clone + Eq + std::hash::Hash,
{
    let mut places = std::collections::HashMap::new();
    let mut groups: Vec<(Query, Vec<Answer>)> = Vec::new();
    for answer in answers {
        let query = query(&answer);
        let place = *places.entry(query.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(answer),
            None => groups.push((query, vec![answer])),
        }
    }
    groups
}
