//! Messages and progress bars on standard error. Bars are hidden if it is not a terminal.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::{io::Write, time::Duration};

/// Prints a message that is not part of the result.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Returns a bar with a known length in bytes.
pub(crate) fn bytes(length: u64, label: &'static str) -> ProgressBar {
    styled(
        ProgressBar::new(length),
        "{msg:12} [{bar:40}] {bytes}/{total_bytes} {eta}",
        label,
    )
}

/// Returns a bar with a known number of items.
pub(crate) fn count(length: u64, label: &'static str) -> ProgressBar {
    styled(
        ProgressBar::new(length),
        "{msg:12} [{bar:40}] {human_pos}/{human_len} {eta}",
        label,
    )
}

/// Returns a spinner that counts an unknown number of items.
pub(crate) fn spinner(label: &'static str) -> ProgressBar {
    let bar = styled(
        ProgressBar::new_spinner(),
        "{msg:12} {spinner} {human_pos} {per_sec}",
        label,
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn styled(bar: ProgressBar, template: &str, label: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    bar.with_style(style).with_message(label)
}

/// Formats a throughput: `12,345 plays in 3.000 s (4,115 plays/s)`.
pub(crate) fn rate(count: u64, unit: &str, took: Duration) -> String {
    let millis = took.as_millis().max(1);
    let per_second = u128::from(count) * 1_000 / millis;
    let per_second = u64::try_from(per_second).unwrap_or(u64::MAX);
    format!(
        "{} {unit} in {}.{:03} s ({} {unit}/s)",
        HumanCount(count),
        millis / 1_000,
        millis % 1_000,
        HumanCount(per_second)
    )
}

/// Formats a duration in seconds with tenths.
pub(crate) fn duration(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
