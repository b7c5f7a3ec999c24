//! Pages of lists.

/// The default number of items per page of the API and the commands.
pub const DEFAULT_PAGE_SIZE: u32 = 20;

/// A page of a list, with the cursor of the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T, C> {
    pub items: Vec<T>,
    /// The position after which the next page begins; `None` on the last page.
    pub next: Option<C>,
}

impl<T, C> Listing<T, C> {
    /// Makes a page of `limit` items from a query that read up to `limit` + 1 items.
    pub(crate) fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(cursor);
        Self { items, next }
    }
}
