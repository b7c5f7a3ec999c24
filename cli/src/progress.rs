//! What a person sees meanwhile: bars on a terminal, nothing in a pipe.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::{io::Write, time::Duration};

/// A line to standard error, for messages that are no result.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A bar of known length, in bytes.
pub(crate) fn bytes(length: u64, what: &'static str) -> ProgressBar {
    styled(
        ProgressBar::new(length),
        "{msg:12} [{bar:40}] {bytes}/{total_bytes} {eta}",
        what,
    )
}

/// A bar of known length, in things.
pub(crate) fn count(length: u64, what: &'static str) -> ProgressBar {
    styled(
        ProgressBar::new(length),
        "{msg:12} [{bar:40}] {human_pos}/{human_len} {eta}",
        what,
    )
}

/// A spinner that counts things of unknown number.
pub(crate) fn spinner(what: &'static str) -> ProgressBar {
    let bar = styled(
        ProgressBar::new_spinner(),
        "{msg:12} {spinner} {human_pos} {per_sec}",
        what,
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn styled(bar: ProgressBar, template: &str, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    bar.with_style(style).with_message(what)
}

/// `12,345 plays in 3 seconds (4,115 plays/s)`, for the end of a run.
pub(crate) fn rate(count: u64, what: &str, took: Duration) -> String {
    let millis = took.as_millis().max(1);
    let per_second = u128::from(count) * 1_000 / millis;
    let per_second = u64::try_from(per_second).unwrap_or(u64::MAX);
    format!(
        "{} {what} in {}.{:03} s ({} {what}/s)",
        HumanCount(count),
        millis / 1_000,
        millis % 1_000,
        HumanCount(per_second)
    )
}

/// A duration for people, in seconds with tenths.
pub(crate) fn duration(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
