//! The table of the simulator: what each strategy reached against an honest viewer in the same time.

use super::totals::Totals;
use balance_domain::playback::PlayRules;
use std::fmt::Write;

/// The most that a strategy may reach, against an honest viewer.
pub const LIMIT: f64 = 1.05;

/// What honest viewers reach in some time.
#[derive(Debug, Clone, Copy)]
pub struct Honest {
    /// Hours of an account.
    pub hours: f64,
    /// Seconds of video at the maximum rate without a break.
    pub seconds: f64,
    /// The ad slots in them.
    pub ad_views: f64,
    /// The views of a person who starts as many videos as the limit of views allows.
    pub views: f64,
}

impl Honest {
    /// Returns what an honest viewer reaches under rules that do not change.
    #[must_use]
    pub fn of(rules: &PlayRules, elapsed_s: f64) -> Self {
        let seconds = f64::from(rules.playback_rate.0) / 1_000.0 * elapsed_s;
        Self {
            hours: elapsed_s / 3_600.0,
            seconds,
            ad_views: seconds / f64::from(rules.ad_interval_s),
            views: f64::from(rules.views_per_minute) / 60.0 * elapsed_s,
        }
    }
}

/// A strategy in one run.
#[derive(Debug, Clone)]
pub struct Row {
    pub strategy: &'static str,
    pub accounts: usize,
    /// Where the strategy ran, such as `embedded` or `Redis, 4 shards`.
    pub intake: String,
    pub totals: Totals,
    pub honest: Honest,
}

#[expect(clippy::cast_precision_loss, reason = "counts of a short time")]
const fn float(number: i64) -> f64 {
    number as f64
}

impl Row {
    fn ratio(&self, reached: i64, honest: f64) -> f64 {
        let accounts = f64::from(u32::try_from(self.accounts).unwrap());
        float(reached) / (accounts * honest)
    }

    /// Returns the credited seconds against those of an honest viewer.
    #[must_use]
    pub fn seconds_ratio(&self) -> f64 {
        self.ratio(self.totals.sum().credited_s, self.honest.seconds)
    }

    /// Returns the ad views, and so their pay, against those of an honest viewer.
    #[must_use]
    pub fn ads_ratio(&self) -> f64 {
        self.ratio(self.totals.sum().ad_views, self.honest.ad_views)
    }

    /// Returns the views, and so their pay, against the limit of views.
    #[must_use]
    pub fn views_ratio(&self) -> f64 {
        self.ratio(self.totals.sum().views, self.honest.views)
    }

    /// Returns the highest of the ratios.
    #[must_use]
    pub fn highest(&self) -> f64 {
        let ratios = [self.seconds_ratio(), self.ads_ratio(), self.views_ratio()];
        ratios.into_iter().fold(0.0, f64::max)
    }

    /// Returns the pay of an account in an hour, in won.
    #[must_use]
    pub fn hourly_pay(&self) -> f64 {
        self.ratio(self.totals.pay(), 100.0 * self.honest.hours)
    }
}

/// Returns the table in Markdown.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| strategy | accounts | intake | views | credited s | ad views | won | won per account-hour \
         | seconds | ad pay | views against the limit |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let sum = row.totals.sum();
        let won = float(row.totals.pay()) / 100.0;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {won:.0} | {:.1} | {:.3} | {:.3} | {:.3} |",
            row.strategy,
            row.accounts,
            row.intake,
            sum.views,
            sum.credited_s,
            sum.ad_views,
            row.hourly_pay(),
            row.seconds_ratio(),
            row.ads_ratio(),
            row.views_ratio(),
        );
    }
    text
}

/// Returns the rows that exceed [`LIMIT`], as text.
#[must_use]
pub fn exceeding(rows: &[Row]) -> Vec<String> {
    let beyond = rows.iter().filter(|row| row.highest() > LIMIT);
    let text = |row: &Row| {
        format!(
            "{} with {} accounts, {}: {:.3}",
            row.strategy,
            row.accounts,
            row.intake,
            row.highest()
        )
    };
    beyond.map(text).collect()
}
