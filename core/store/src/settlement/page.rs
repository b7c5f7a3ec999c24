//! Pages of the chunks' input.

use balance_batch::partition::IdRange;

/// The input of one chunk, in the order of video ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The last id that the page covers: the end of the range if there are no more items.
    pub upto: i64,
}

/// Returns the last id that a page covers: its last row if the page is full, else the end of the range.
pub(super) fn page_end(range: IdRange, limit: u32, last: Option<i64>, length: usize) -> i64 {
    let is_full = u32::try_from(length).is_ok_and(|length| length >= limit);
    match last {
        Some(last) if is_full => last,
        _ => range.upto,
    }
}
