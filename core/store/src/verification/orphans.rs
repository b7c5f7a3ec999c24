//! Rows that no day and no execution refers to: orphans, late events that are not late, and sequences
//! that are behind their tables.

use crate::{
    Store, StoreResult,
    sql::{statement::params, tx::Tx},
    verification::OrphanFacts,
};
use balance_batch::job::Job;
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

impl Store {
    /// Returns orphans, late events that are not late, and sequences that are behind their tables, with
    /// the first `limit` rows of each kind.
    pub async fn orphans(&self, limit: u32) -> StoreResult<Vec<OrphanFacts>> {
        let mut tx = self.db.snapshot().await?;
        let rows = rows(&mut tx, limit).await?;
        tx.rollback().await?;
        Ok(rows)
    }
}

/// A kind of invalid rows.
struct Orphan {
    table: &'static str,
    /// The name of the row's key in a finding.
    key: &'static str,
    column: &'static str,
    expected: &'static str,
    found: &'static str,
    /// The SQL expression of the row's key.
    id: &'static str,
    /// The rest of the SELECT.
    from: &'static str,
}

const ORPHANS: [Orphan; 6] = [
    Orphan {
        table: "BATCH_JOB_INSTANCE",
        key: "instance",
        column: "JOB_INSTANCE_ID",
        expected: "a date of it in job_date_instance",
        found: "there is none",
        id: "i.JOB_INSTANCE_ID",
        from: "BATCH_JOB_INSTANCE i LEFT JOIN job_date_instance d \
               ON d.job_instance_id = i.JOB_INSTANCE_ID WHERE d.job_instance_id IS NULL",
    },
    Orphan {
        table: "job_date_instance",
        key: "instance",
        column: "job_instance_id",
        expected: "a row of it in BATCH_JOB_INSTANCE",
        found: "there is none",
        id: "d.job_instance_id",
        from: "job_date_instance d LEFT JOIN BATCH_JOB_INSTANCE i \
               ON i.JOB_INSTANCE_ID = d.job_instance_id WHERE i.JOB_INSTANCE_ID IS NULL",
    },
    Orphan {
        table: "BATCH_JOB_EXECUTION",
        key: "execution",
        column: "JOB_INSTANCE_ID",
        expected: "an instance that is there",
        found: "there is none",
        id: "e.JOB_EXECUTION_ID",
        from: "BATCH_JOB_EXECUTION e LEFT JOIN BATCH_JOB_INSTANCE i \
               ON i.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID WHERE i.JOB_INSTANCE_ID IS NULL",
    },
    Orphan {
        table: "BATCH_STEP_EXECUTION",
        key: "step execution",
        column: "JOB_EXECUTION_ID",
        expected: "an execution that is there",
        found: "there is none",
        id: "s.STEP_EXECUTION_ID",
        from: "BATCH_STEP_EXECUTION s LEFT JOIN BATCH_JOB_EXECUTION e \
               ON e.JOB_EXECUTION_ID = s.JOB_EXECUTION_ID WHERE e.JOB_EXECUTION_ID IS NULL",
    },
    Orphan {
        table: "step_lease",
        key: "step execution",
        column: "job_execution_id",
        expected: "an execution that is there",
        found: "there is none",
        id: "l.step_execution_id",
        from: "step_lease l LEFT JOIN BATCH_JOB_EXECUTION e \
               ON e.JOB_EXECUTION_ID = l.job_execution_id WHERE e.JOB_EXECUTION_ID IS NULL",
    },
    Orphan {
        table: "period_rollup",
        key: "video",
        column: "period",
        expected: "week or month",
        found: "another word",
        id: "p.video_id",
        from: "period_rollup p WHERE p.period < 'month' \
               OR (p.period > 'month' AND p.period < 'week') OR p.period > 'week'",
    },
];

/// The sequences, each with the column and the table of the ids that it allocates.
const SEQUENCES: [(&str, &str, &str); 3] = [
    (
        "BATCH_JOB_INSTANCE_SEQ",
        "JOB_INSTANCE_ID",
        "BATCH_JOB_INSTANCE",
    ),
    (
        "BATCH_JOB_EXECUTION_SEQ",
        "JOB_EXECUTION_ID",
        "BATCH_JOB_EXECUTION",
    ),
    (
        "BATCH_STEP_EXECUTION_SEQ",
        "STEP_EXECUTION_ID",
        "BATCH_STEP_EXECUTION",
    ),
];

/// Invalid late events. An event is in the history of its day or among the late events, never in both.
/// The day of a late event is closed. Each entry has the column, the expected value, the found value,
/// and the rest of the SELECT.
const NOT_LATE: [(&str, &str, &str, &str); 2] = [
    (
        "event_id",
        "an event that the history does not hold",
        "it is in the history of its day",
        "late_event l JOIN play_history h ON h.date = l.date AND h.event_id = l.event_id",
    ),
    (
        "date",
        "a closed day",
        "an open one",
        "late_event l JOIN closed_through c ON c.id = 1 WHERE c.date IS NULL OR c.date < l.date",
    ),
];

async fn late(tx: &mut Tx, limit: u32) -> StoreResult<Vec<OrphanFacts>> {
    let mut found = Vec::new();
    for (column, expected, found_value, from) in NOT_LATE {
        let sql = format!("SELECT COUNT(*) FROM {from}");
        let (total,): (i64,) = tx.fetch_one(AssertSqlSafe(sql), &[]).await?;
        if total == 0 {
            continue;
        }
        let sql =
            format!("SELECT l.date, l.event_id FROM {from} ORDER BY l.date, l.event_id LIMIT ?");
        let events: Vec<(NaiveDate, Vec<u8>)> =
            tx.fetch_all(AssertSqlSafe(sql), &params![limit]).await?;
        let row = |(date, id): (NaiveDate, Vec<u8>)| {
            let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            (format!("date {date}, event {id}"), found_value.to_owned())
        };
        found.push(OrphanFacts {
            table: "late_event",
            column,
            expected: expected.to_owned(),
            total: u64::try_from(total).unwrap_or(0),
            rows: events.into_iter().map(row).collect(),
        });
    }
    Ok(found)
}

/// Invalid totals: those of days that were never launched, and those of unknown periods. Each entry has
/// the expected value and the condition, whose parameter is the job's name.
const TOTALS: [(&str, &str); 2] = [
    (
        "no row: the day was never launched",
        "t.period = 'day' AND NOT EXISTS (SELECT 1 FROM job_date_instance d \
         WHERE d.job_name = ? AND d.date = t.start_date)",
    ),
    (
        "day, week or month",
        "t.period NOT IN ('day', 'week', 'month', ?)",
    ),
];

async fn totals(tx: &mut Tx, limit: u32) -> StoreResult<Vec<OrphanFacts>> {
    let job = Job::DayStatistics.name();
    let mut found = Vec::new();
    for (expected, condition) in TOTALS {
        let sql = format!("SELECT COUNT(*) FROM period_total t WHERE {condition}");
        let (total,): (i64,) = tx.fetch_one(AssertSqlSafe(sql), &params![job]).await?;
        if total == 0 {
            continue;
        }
        let sql = format!(
            "SELECT t.period, t.start_date FROM period_total t WHERE {condition} \
             ORDER BY t.start_date, t.period LIMIT ?"
        );
        let rows: Vec<(String, NaiveDate)> = tx
            .fetch_all(AssertSqlSafe(sql), &params![job, limit])
            .await?;
        let row = |(period, date): (String, NaiveDate)| {
            (format!("{period} of {date}"), "a row".to_owned())
        };
        found.push(OrphanFacts {
            table: "period_total",
            column: "period",
            expected: expected.to_owned(),
            total: u64::try_from(total).unwrap_or(0),
            rows: rows.into_iter().map(row).collect(),
        });
    }
    Ok(found)
}

async fn rows(tx: &mut Tx, limit: u32) -> StoreResult<Vec<OrphanFacts>> {
    let mut found = late(tx, limit).await?;
    found.extend(totals(tx, limit).await?);
    for orphan in &ORPHANS {
        let Orphan { id, from, .. } = orphan;
        let sql = format!("SELECT COUNT(*) FROM {from}");
        let (total,): (i64,) = tx.fetch_one(AssertSqlSafe(sql), &[]).await?;
        if total == 0 {
            continue;
        }
        let sql = format!("SELECT {id} FROM {from} ORDER BY {id} LIMIT ?");
        let ids: Vec<(i64,)> = tx.fetch_all(AssertSqlSafe(sql), &params![limit]).await?;
        let row = |(id,)| (format!("{} {id}", orphan.key), orphan.found.to_owned());
        found.push(OrphanFacts {
            table: orphan.table,
            column: orphan.column,
            expected: orphan.expected.to_owned(),
            total: u64::try_from(total).unwrap_or(0),
            rows: ids.into_iter().map(row).collect(),
        });
    }
    found.extend(sequences(tx).await?);
    Ok(found)
}

/// Returns the sequences that are behind their tables.
async fn sequences(tx: &mut Tx) -> StoreResult<Vec<OrphanFacts>> {
    let mut found = Vec::new();
    for (sequence, id, table) in SEQUENCES {
        let sql = format!(
            "SELECT COALESCE((SELECT MAX(ID) FROM {sequence}), 0), \
             COALESCE((SELECT MAX({id}) FROM {table}), 0)"
        );
        let (last, greatest): (i64, i64) = tx.fetch_one(AssertSqlSafe(sql), &[]).await?;
        if last < greatest {
            found.push(OrphanFacts {
                table: sequence,
                column: "ID",
                expected: format!("{greatest} or more"),
                total: 1,
                rows: vec![("the last id given".to_owned(), last.to_string())],
            });
        }
    }
    Ok(found)
}
