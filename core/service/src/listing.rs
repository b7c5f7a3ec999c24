//! Pages of lists.

/// A page of something, and where the next one goes on, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T, C> {
    /// The page.
    pub items: Vec<T>,
    /// After what the next page begins.
    pub next: Option<C>,
}

impl<T, C> Listing<T, C> {
    /// A page of `limit` of what was read one row further than asked for.
    pub(crate) fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(cursor);
        Self { items, next }
    }
}
