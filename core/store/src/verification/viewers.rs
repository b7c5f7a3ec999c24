//! Viewers whose credited seconds or ad views of a day exceed limits.

use crate::{
    Store, StoreResult,
    playback::play_rules,
    sql::statement::params,
    verification::{ViewerFacts, ViewerLimits},
};
use balance_domain::playback::{MAX_AD_VIEWS, PlayRules};
use chrono::NaiveDate;

impl Store {
    /// Returns the rules that decided a day's plays and pauses, from the oldest to the newest version,
    /// without versions of before the limits of viewers.
    pub async fn limits_of_day(&self, date: NaiveDate) -> StoreResult<Vec<PlayRules>> {
        let mut tx = self.db.snapshot().await?;
        let (oldest, newest): (Option<i64>, Option<i64>) = tx
            .fetch_one(
                "SELECT CAST(MIN(rules_version) AS SIGNED), CAST(MAX(rules_version) AS SIGNED) \
                 FROM play_history WHERE date = ? AND import_id IS NULL",
                &params![date],
            )
            .await?;
        let rules = match (oldest, newest) {
            (Some(oldest), Some(newest)) => {
                play_rules::limited_between(&mut tx, oldest, newest).await?
            }
            _ => Vec::new(),
        };
        tx.rollback().await?;
        Ok(rules)
    }

    /// Returns at most `limit` viewers with ids above `after` whose day exceeds limits, by id. Viewers with
    /// imported rows of the day, or with rows of before the limits, are left out.
    pub async fn viewers_beyond(
        &self,
        date: NaiveDate,
        limits: ViewerLimits,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<ViewerFacts>> {
        let mut tx = self.db.snapshot().await?;
        let rows: Vec<(i64, i64, i64)> = tx
            .fetch_all(
                "SELECT played.user_id, played.credited_s, CAST(COALESCE(shown.ad_views, 0) AS SIGNED) \
                 FROM (SELECT user_id, CAST(SUM(play_time) AS SIGNED) AS credited_s \
                       FROM play_history WHERE date = ? AND user_id > ? GROUP BY user_id \
                       HAVING COUNT(import_id) = 0 AND MIN(rules_version) >= \
                           (SELECT MIN(version) FROM play_rules WHERE credit_burst_s IS NOT NULL) \
                      ) AS played \
                 LEFT JOIN (SELECT user_id, COUNT(*) AS ad_views FROM ad_history \
                            WHERE date = ? AND user_id > ? GROUP BY user_id HAVING COUNT(*) > ?) \
                     AS shown ON shown.user_id = played.user_id \
                 WHERE played.credited_s > ? \
                     OR (shown.ad_views - ?) * ? > played.credited_s \
                 ORDER BY played.user_id LIMIT ?",
                &params![
                    date,
                    after,
                    date,
                    after,
                    MAX_AD_VIEWS,
                    limits.credited_s,
                    MAX_AD_VIEWS,
                    i64::from(limits.ad_interval_s),
                    limit
                ],
            )
            .await?;
        tx.rollback().await?;
        let facts = |(user_id, credited_s, ad_views)| ViewerFacts {
            user_id,
            credited_s,
            ad_views,
        };
        Ok(rows.into_iter().map(facts).collect())
    }
}
