//! Pages of a verification.

use chrono::NaiveDate;

/// Returns a date before all stored ones. Years have four digits, and SQLite orders dates by their text.
pub(super) fn before_all_dates() -> NaiveDate {
    NaiveDate::from_ymd_opt(1000, 1, 1).unwrap_or_default()
}

/// Returns the last id of a page if it is full, else `None`: no rows follow it.
pub(super) fn full_page_end(limit: u32, length: usize, last: Option<i64>) -> Option<i64> {
    let is_full = u32::try_from(length).is_ok_and(|length| length >= limit);
    last.filter(|_| is_full)
}

#[cfg(test)]
mod tests {
    use super::full_page_end;

    #[test]
    fn only_a_full_page_has_an_end() {
        assert_eq!(full_page_end(3, 2, Some(9)), None);
        assert_eq!(full_page_end(3, 3, Some(9)), Some(9));
        assert_eq!(full_page_end(3, 0, None), None);
    }
}
