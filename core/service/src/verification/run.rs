//! A verification from beginning to end.

use crate::verification::{
    day::{SettledDay, stray},
    events, execution,
    findings::{At, Findings, Kind},
    instance, orphans,
    partitions::{Book, Sums},
    pay::Rates,
    period,
    report::{Options, Progress, Verified},
    total,
};
use balance_batch::{
    execution::{JobExecutionId, JobInstanceId},
    job::{Job, Step},
};
use balance_domain::{
    calendar::BusinessTimezone,
    period::{Period, PeriodKind},
};
use balance_store::{
    Store, StoreResult,
    verification::{DayFacts, InstanceFacts, TotalFacts, VideoDay},
};
use chrono::NaiveDate;
use std::collections::BTreeSet;

/// Videos looked at together.
const PAGE: u32 = 1_000;

/// Verifies a database. `progress` is told after each day, week and month.
///
/// # Errors
/// Where the store fails, or holds something that cannot be read at all.
pub async fn verify(
    store: &Store,
    timezone: BusinessTimezone,
    options: Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> StoreResult<Verified> {
    let mut run = Run {
        store,
        timezone,
        options,
        newest: None,
        verified: Verified {
            days: 0,
            settled_days: 0,
            videos: 0,
            period_rows: 0,
            executions: 0,
            pruned: 0,
            findings: Findings::new(options.limit),
        },
    };
    let days = run.days().await?;
    let periods = run.periods(&days).await?;
    let total = u64::try_from(days.len() + periods.len()).unwrap_or(u64::MAX);
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(Progress { done, total });
    };
    for day in &days {
        run.day(day).await?;
        step();
    }
    for period in periods {
        run.period(period, &days).await?;
        step();
    }
    orphans::verify(store, options.limit, &mut run.verified.findings).await?;
    Ok(run.verified)
}

struct Run<'a> {
    store: &'a Store,
    timezone: BusinessTimezone,
    options: Options,
    /// The active day settled last, and by which execution.
    newest: Option<(NaiveDate, JobExecutionId)>,
    verified: Verified,
}

impl Run<'_> {
    /// All days of the range, in order.
    async fn days(&self) -> StoreResult<Vec<DayFacts>> {
        let mut days: Vec<DayFacts> = Vec::new();
        let mut after = self.options.from.and_then(|from| from.pred_opt());
        while let Some(day) = self.store.next_day(after).await? {
            if self.options.to.is_some_and(|to| day.date > to) {
                break;
            }
            after = Some(day.date);
            days.push(day);
        }
        Ok(days)
    }

    /// The periods that have rows, and those that must have some.
    async fn periods(&self, days: &[DayFacts]) -> StoreResult<Vec<Period>> {
        let mut periods = Vec::new();
        for kind in [PeriodKind::Week, PeriodKind::Month] {
            let mut starts: BTreeSet<NaiveDate> = days
                .iter()
                .filter(|day| !day.settled_by.is_empty())
                .map(|day| kind.containing(day.date).from)
                .collect();
            let mut after = None;
            while let Some(start) = self.store.next_rollup(kind, after).await? {
                starts.insert(start);
                after = Some(start);
            }
            periods.extend(
                starts
                    .into_iter()
                    .map(|from| Period {
                        from,
                        ..kind.containing(from)
                    })
                    .filter(|period| self.options.overlaps(*period)),
            );
        }
        Ok(periods)
    }

    async fn day(&mut self, day: &DayFacts) -> StoreResult<()> {
        self.verified.days += 1;
        self.order(day);
        if day.is_active {
            let findings = &mut self.verified.findings;
            events::verify(self.store, self.timezone, day.date, findings).await?;
        }
        let settled_by = day.settled_by.last().map(|(_, instance)| *instance);
        let mut partition_sums = None;
        for instance in self.store.instances(day.date).await? {
            let of_settled = settled_by == Some(instance.id);
            let book = self.instance(day.date, &instance, of_settled).await?;
            if of_settled {
                partition_sums = book.sums();
            }
        }
        match settled_by {
            Some(instance) => self.settled_day(day.date, instance, partition_sums).await,
            None if day.has_results && !day.is_launched => self.stray_day(day.date).await,
            None => Ok(()),
        }
    }

    /// Days are closed before they are settled, and settled in order.
    fn order(&mut self, day: &DayFacts) {
        let key = format!("date {}", day.date);
        let at = |table| At {
            kind: Kind::Order,
            table,
            key: &key,
        };
        let findings = &mut self.verified.findings;
        let closed = day.closed_through;
        let shown = || closed.map_or_else(|| "NULL".to_owned(), |date| date.to_string());
        let is_closed = closed.is_some_and(|closed| closed >= day.date);
        if day.settled_by.len() > 1 {
            let at = at("BATCH_JOB_EXECUTION");
            findings.add(
                at,
                "STATUS",
                "COMPLETED once",
                format!("{} times", day.settled_by.len()),
            );
        }
        if !day.settled_by.is_empty() && !is_closed {
            let expected = format!("{} or later: it is settled", day.date);
            findings.add(at("closed_through"), "date", expected, shown());
        }
        if day.is_active && day.settled_by.is_empty() && closed.is_some_and(|one| one > day.date) {
            let expected = "a COMPLETED execution: a later day is closed";
            findings.add(at("BATCH_JOB_EXECUTION"), "STATUS", expected, "none");
        }
        if let (true, Some((execution, _))) = (day.is_active, day.settled_by.last()) {
            if let Some((earlier, by)) = self.newest.filter(|(_, by)| by > execution) {
                let expected = format!("after {by}, which settled {earlier}");
                findings.add(
                    at("BATCH_JOB_EXECUTION"),
                    "JOB_EXECUTION_ID",
                    expected,
                    execution,
                );
            }
            self.newest = Some((day.date, *execution));
        }
    }

    /// Verifies an instance's rows; answers what they say of its partitions.
    async fn instance(
        &mut self,
        date: NaiveDate,
        instance: &InstanceFacts,
        is_completed: bool,
    ) -> StoreResult<Book> {
        instance::verify(date, instance, &mut self.verified.findings);
        let mut book = Book::default();
        for id in &instance.executions {
            let Some(facts) = self.store.execution_facts(*id).await? else {
                continue;
            };
            let findings = &mut self.verified.findings;
            let status = execution::verify(&facts, findings);
            instance::verify_execution(date, instance, &facts, status, findings);
            let is_pruned = book.add(&facts, status, findings);
            self.verified.executions += 1;
            self.verified.pruned += u64::from(is_pruned);
        }
        let findings = &mut self.verified.findings;
        book.verify_ranges(instance.id.0, findings);
        if is_completed {
            book.verify_completed(instance.id.0, findings);
        }
        Ok(book)
    }

    async fn settled_day(
        &mut self,
        date: NaiveDate,
        instance: JobInstanceId,
        mut partition_sums: Option<Sums>,
    ) -> StoreResult<()> {
        self.verified.settled_days += 1;
        let rates = self.rates(date).await?;
        let settled = SettledDay {
            date,
            rates: rates.as_ref().ok().and_then(Option::as_ref),
            rates_are_damaged: rates.is_err(),
        };
        let told_before = self.verified.findings.all();
        let mut sums = TotalFacts::default();
        let mut after = i64::MIN;
        loop {
            let page = self
                .store
                .day_page(date, Some(instance), after, PAGE)
                .await?;
            for video in &page.videos {
                self.verified.videos += 1;
                self.settled_video(&settled, video, partition_sums.as_mut());
                if let Some(sum) = total::of_day(video) {
                    sums.add(sum);
                }
            }
            match page.upto {
                Some(upto) => after = upto,
                None => break,
            }
        }
        // What is wrong in a row is told by itself, and not again in the sum.
        if self.verified.findings.all() == told_before {
            let day = PeriodKind::Day.containing(date);
            let row = self.store.total_facts(day).await?;
            total::verify(day, row, sums, &mut self.verified.findings);
        }
        if let Some(partition_sums) = partition_sums {
            partition_sums.finish(instance.0, &mut self.verified.findings);
        }
        Ok(())
    }

    fn settled_video(
        &mut self,
        day: &SettledDay<'_>,
        video: &VideoDay,
        partition_sums: Option<&mut Sums>,
    ) {
        let written = day.verify(video, &mut self.verified.findings);
        let Some(partition_sums) = partition_sums else {
            return;
        };
        let id = video.video_id;
        for step in Job::DayStatistics.steps() {
            let (written, skipped) = match step {
                Step::CloseDay => continue,
                Step::DayStatistics => (written.statistics, video.skips.statistics),
                Step::DayRevenue => (written.revenue, video.skips.revenue),
                Step::PeriodRollup => (written.rollup, video.skips.rollup),
            };
            partition_sums.count(*step, id, written, skipped);
        }
    }

    /// A day's rates; damaged ones are told.
    async fn rates(&mut self, date: NaiveDate) -> StoreResult<Result<Option<Rates>, ()>> {
        let rates = Rates::new(&self.store.tiers_on(date).await?);
        Ok(rates.map_err(|reason| {
            let key = format!("the version that pays {date}");
            let at = At {
                kind: Kind::Revenue,
                table: "revenue_rate",
                key: &key,
            };
            let expected = "tiers of both kinds from 0 on, without gap or end";
            self.verified
                .findings
                .add(at, "from_count", expected, reason);
        }))
    }

    /// A day with results that nobody has launched.
    async fn stray_day(&mut self, date: NaiveDate) -> StoreResult<()> {
        let mut after = i64::MIN;
        loop {
            let page = self.store.day_page(date, None, after, PAGE).await?;
            // Somebody has launched it in the meantime.
            if page.is_launched {
                return Ok(());
            }
            for video in &page.videos {
                stray(date, video, &mut self.verified.findings);
            }
            match page.upto {
                Some(upto) => after = upto,
                None => return Ok(()),
            }
        }
    }

    async fn period(&mut self, of: Period, days: &[DayFacts]) -> StoreResult<()> {
        let told_before = self.verified.findings.all();
        let total = self.store.total_facts(of).await?;
        let mut sums = TotalFacts::default();
        let mut is_at_work = false;
        let mut after = i64::MIN;
        loop {
            let page = self.store.rollup_page(of, after, PAGE).await?;
            for row in &page.rows {
                self.verified.period_rows += 1;
                period::verify(of, row, page.is_undecided, &mut self.verified.findings);
                sums.add(row.row);
                is_at_work |= row.unfinished.is_some();
            }
            is_at_work |= page.is_undecided;
            match page.upto {
                Some(upto) => after = upto,
                None => break,
            }
        }
        if !period::begins_rightly(of) {
            if total.is_some() {
                total::crooked(of, &mut self.verified.findings);
            }
            return Ok(());
        }
        let settled = days
            .iter()
            .filter(|day| !day.settled_by.is_empty() && (of.from..=of.to).contains(&day.date));
        let mut since = None;
        for day in settled {
            // Each video is told once, on the first of its days.
            let since = *since.get_or_insert(day.date);
            self.missing_rollups(of, day.date, since).await?;
        }
        let findings = &mut self.verified.findings;
        // Rows of a day at work are in the sums already, and in the total when the day is settled.
        if findings.all() == told_before
            && !is_at_work
            && self.store.total_facts(of).await? == total
        {
            total::verify(of, total, sums, findings);
        }
        Ok(())
    }

    async fn missing_rollups(
        &mut self,
        of: Period,
        date: NaiveDate,
        since: NaiveDate,
    ) -> StoreResult<()> {
        let mut after = i64::MIN;
        loop {
            let store = self.store;
            let missing = store.missing_rollups(of, date, since, after, PAGE).await?;
            for video_id in &missing {
                period::missing(of, date, *video_id, &mut self.verified.findings);
            }
            match missing.last() {
                Some(last) => after = *last,
                None => return Ok(()),
            }
        }
    }
}
