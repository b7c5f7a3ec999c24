//! The course of a verification: all days, then all weeks and months, then orphans.

use crate::verification::{
    day::{SettledDay, never_launched},
    events,
    findings::{At, Findings, Kind},
    jobs::{
        execution, foreign, instance,
        partitions::{ExpectedWrites, InstancePartitions},
    },
    limits, orphans,
    pay::Rates,
    period,
    report::{Options, Progress, Verified},
    total,
};
use balance_batch::{
    execution::{JobInstanceId, StepExecutionId},
    job::{Job, Step},
};
use balance_domain::{
    calendar::BusinessTimezone,
    period::{Period, PeriodKind},
};
use balance_store::{
    Store, StoreResult,
    verification::{DayFacts, InstanceFacts, TotalFacts, VideoDayFacts},
};
use chrono::NaiveDate;
use std::collections::BTreeSet;

/// Videos that are read at a time.
const PAGE: u32 = 1_000;

/// Verifies a database. Calls `progress` after each day, week and month.
///
/// # Errors
/// If the store fails or a row cannot be read at all.
pub async fn verify(
    store: &Store,
    timezone: BusinessTimezone,
    options: Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> StoreResult<Verified> {
    let mut verifier = Verifier {
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
            foreign_steps: 0,
            findings: Findings::new(options.limit),
        },
    };
    let days = verifier.days().await?;
    let periods = verifier.periods(&days).await?;
    let total = u64::try_from(days.len() + periods.len()).unwrap_or(u64::MAX);
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(Progress { done, total });
    };
    for day in &days {
        verifier.day(day).await?;
        step();
    }
    for period in periods {
        verifier.period(period, &days).await?;
        step();
    }
    orphans::verify(store, options.limit, &mut verifier.verified.findings).await?;
    Ok(verifier.verified)
}

/// A verification in progress.
struct Verifier<'a> {
    store: &'a Store,
    timezone: BusinessTimezone,
    options: Options,
    /// The active day that was settled last, and its last step execution.
    newest: Option<(NaiveDate, StepExecutionId)>,
    verified: Verified,
}

impl Verifier<'_> {
    /// Returns all days in the scope, in order.
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

    /// Returns the weeks and months that have rows or must have rows.
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
            limits::verify(self.store, self.timezone, day.date, findings).await?;
        }
        let settled_by = day.settled_by.last().map(|settled| settled.instance);
        let mut expected_writes = None;
        for instance in self.store.instances(day.date).await? {
            let of_settled = settled_by == Some(instance.id);
            let partitions = self.instance(day.date, &instance, of_settled).await?;
            if of_settled {
                expected_writes = partitions.expected_writes();
            }
        }
        match settled_by {
            Some(instance) => self.settled_day(day.date, instance, expected_writes).await,
            None if day.has_results && !day.is_launched => self.unlaunched_day(day.date).await,
            None => Ok(()),
        }
    }

    /// Checks that a day was closed before it was settled, and that days were settled in order.
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
        // A later day can be launched first, and wait in its first step. IDs need no exact clock.
        if let (true, Some(settled)) = (day.is_active, day.settled_by.last()) {
            let overlap = self.newest.zip(settled.first_step);
            if let Some(((earlier, last), first)) =
                overlap.filter(|((_, last), first)| last > first)
            {
                let expected = format!("after {last}, which settled {earlier}");
                let at = at("BATCH_STEP_EXECUTION");
                findings.add(at, "STEP_EXECUTION_ID", expected, first);
            }
            self.newest = settled.last_step.map(|last| (day.date, last));
        }
    }

    /// Verifies the rows of a job instance. Returns its partitions.
    async fn instance(
        &mut self,
        date: NaiveDate,
        instance: &InstanceFacts,
        is_completed: bool,
    ) -> StoreResult<InstancePartitions> {
        instance::verify(date, instance, &mut self.verified.findings);
        let mut partitions = InstancePartitions::default();
        for id in &instance.executions {
            let Some(facts) = self.store.execution_facts(*id).await? else {
                continue;
            };
            let findings = &mut self.verified.findings;
            let status = execution::verify(&facts, findings);
            instance::verify_execution(date, instance, &facts, status, findings);
            let is_pruned = partitions.add(&facts, status, findings);
            self.verified.executions += 1;
            self.verified.pruned += u64::from(is_pruned);
            self.verified.foreign_steps += foreign::count(&facts);
        }
        let findings = &mut self.verified.findings;
        partitions.verify_ranges(instance.id.0, findings);
        if is_completed {
            partitions.verify_completed(instance.id.0, findings);
        }
        Ok(partitions)
    }

    async fn settled_day(
        &mut self,
        date: NaiveDate,
        instance: JobInstanceId,
        mut expected_writes: Option<ExpectedWrites>,
    ) -> StoreResult<()> {
        self.verified.settled_days += 1;
        let rates = self.rates(date).await?;
        let settled = SettledDay {
            date,
            rates: rates.as_ref().ok().and_then(Option::as_ref),
            rates_are_damaged: rates.is_err(),
        };
        let findings_before = self.verified.findings.count_all();
        let mut sums = TotalFacts::default();
        let mut after = i64::MIN;
        loop {
            let page = self
                .store
                .day_page(date, Some(instance), after, PAGE)
                .await?;
            for video in &page.videos {
                self.verified.videos += 1;
                self.settled_video(&settled, video, expected_writes.as_mut());
                if let Some(sum) = total::of_day(video) {
                    sums.add(sum);
                }
            }
            match page.upto {
                Some(upto) => after = upto,
                None => break,
            }
        }
        // A wrong row has been reported, so the total is not compared.
        if self.verified.findings.count_all() == findings_before {
            let day = PeriodKind::Day.containing(date);
            let row = self.store.total_facts(day).await?;
            total::verify(day, row, sums, &mut self.verified.findings);
        }
        if let Some(expected_writes) = expected_writes {
            expected_writes.finish(instance.0, &mut self.verified.findings);
        }
        Ok(())
    }

    fn settled_video(
        &mut self,
        day: &SettledDay<'_>,
        video: &VideoDayFacts,
        expected_writes: Option<&mut ExpectedWrites>,
    ) {
        let written = day.verify(video, &mut self.verified.findings);
        let Some(expected_writes) = expected_writes else {
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
            expected_writes.count(*step, id, written, skipped);
        }
    }

    /// Returns the rates of a day. Damaged rates are reported and returned as an error.
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

    /// Reports the results of a day that was never launched.
    async fn unlaunched_day(&mut self, date: NaiveDate) -> StoreResult<()> {
        let mut after = i64::MIN;
        loop {
            let page = self.store.day_page(date, None, after, PAGE).await?;
            // The day has been launched in the meantime.
            if page.is_launched {
                return Ok(());
            }
            for video in &page.videos {
                never_launched(date, video, &mut self.verified.findings);
            }
            match page.upto {
                Some(upto) => after = upto,
                None => return Ok(()),
            }
        }
    }

    async fn period(&mut self, of: Period, days: &[DayFacts]) -> StoreResult<()> {
        let findings_before = self.verified.findings.count_all();
        let total = self.store.total_facts(of).await?;
        let mut sums = TotalFacts::default();
        let mut is_incomplete = false;
        let mut after = i64::MIN;
        loop {
            let page = self.store.rollup_page(of, after, PAGE).await?;
            for row in &page.rows {
                self.verified.period_rows += 1;
                period::verify(of, row, page.is_undecided, &mut self.verified.findings);
                sums.add(row.row);
                is_incomplete |= row.unfinished.is_some();
            }
            is_incomplete |= page.is_undecided;
            match page.upto {
                Some(upto) => after = upto,
                None => break,
            }
        }
        if !period::is_aligned(of) {
            if total.is_some() {
                total::misaligned(of, &mut self.verified.findings);
            }
            return Ok(());
        }
        let settled = days
            .iter()
            .filter(|day| !day.settled_by.is_empty() && (of.from..=of.to).contains(&day.date));
        let mut since = None;
        for day in settled {
            // Each video is reported once, on the first of its days.
            let since = *since.get_or_insert(day.date);
            self.missing_rollups(of, day.date, since).await?;
        }
        let findings = &mut self.verified.findings;
        // The sums already include rows of a running day; the total includes them after the
        // settlement.
        if findings.count_all() == findings_before
            && !is_incomplete
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
