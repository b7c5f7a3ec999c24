//! An event stream without entries.

use crate::clock::takes;
use async_trait::async_trait;
use balance_service::events::stream::{
    Closed, EventStream, Found, Memory, Renamed, Retained, Retired, SeenIds, StreamByVideo,
    StreamClock, StreamError, StreamRepair, SuppressedPage,
};
use balance_store::{
    events::{Entry, EntryId, StreamIdentity, SuppressedShard},
    operations::HighestIds,
};
use chrono::NaiveDate;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// The identity of the streams of tests.
pub const IDENTITY: &str = "0123456789abcdef";

/// Returns the identity of the streams of tests.
pub fn identity() -> StreamIdentity {
    IDENTITY.parse().expect("an identity")
}

/// An event stream without entries, whose state a test sets.
pub struct FakeStream {
    identity: StreamIdentity,
    waiting: Option<Vec<u64>>,
    waiting_calls: AtomicU64,
    reads: AtomicU64,
    /// The number of further reads that panic.
    panics: AtomicU32,
    closed: Mutex<Result<Closed, &'static str>>,
    highest: Mutex<Result<HighestIds, &'static str>>,
}

impl FakeStream {
    /// Returns a stream with a number of waiting entries for each shard. `None` stands for a stream
    /// that never answers.
    pub fn with_waiting(waiting: Option<Vec<u64>>) -> Arc<Self> {
        Arc::new(Self {
            identity: identity(),
            waiting,
            waiting_calls: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            panics: AtomicU32::new(0),
            closed: Mutex::new(Ok(Closed::Drained)),
            highest: Mutex::new(Ok(HighestIds::default())),
        })
    }

    /// Returns a stream of one shard that answers each attempt to close a day with this result.
    pub fn closing(result: Result<Closed, &'static str>) -> Arc<Self> {
        let stream = Self::with_waiting(Some(vec![0]));
        stream.set_closed(result);
        stream
    }

    /// Sets the result of each further attempt to close a day.
    pub fn set_closed(&self, result: Result<Closed, &'static str>) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = result;
    }

    /// Sets the highest ids that the stream has seen, or the reason why it is unavailable.
    pub fn set_highest(&self, highest: Result<HighestIds, &'static str>) {
        *self.highest.lock().unwrap_or_else(PoisonError::into_inner) = highest;
    }

    /// Lets the next reads panic.
    pub fn panic_next(&self, reads: u32) {
        self.panics.store(reads, Ordering::SeqCst);
    }

    /// Returns the number of reads.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// Returns the number of queries for waiting entries.
    pub fn waiting_calls(&self) -> u64 {
        self.waiting_calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl StreamByVideo for FakeStream {
    async fn create_by_video(&self) -> Result<(), StreamError> {
        Ok(())
    }

    async fn read_by_video(&self, _: &str, _: u32) -> Result<Vec<Entry>, StreamError> {
        Ok(Vec::new())
    }

    async fn acknowledge_by_video(&self, _: &[EntryId]) -> Result<(), StreamError> {
        Ok(())
    }

    async fn retire(&self) -> Result<Retired, StreamError> {
        Ok(Retired::All)
    }

    async fn move_keys(&self) -> Result<u64, StreamError> {
        Ok(0)
    }
}

#[async_trait]
impl EventStream for FakeStream {
    fn identity(&self) -> &StreamIdentity {
        &self.identity
    }

    async fn found(&self) -> Result<Found, StreamError> {
        Ok(Found::default())
    }

    async fn origin(&self, candidate: &str) -> Result<String, StreamError> {
        Ok(candidate.to_owned())
    }

    async fn create(&self) -> Result<(), StreamError> {
        Ok(())
    }

    async fn rename_unnamed(&self) -> Result<Renamed, StreamError> {
        Ok(Renamed::None)
    }

    async fn waiting(&self) -> Result<Vec<u64>, StreamError> {
        self.waiting_calls.fetch_add(1, Ordering::SeqCst);
        match &self.waiting {
            Some(waiting) => Ok(waiting.clone()),
            None => std::future::pending().await,
        }
    }

    async fn read(&self, _: &str, _: u32) -> Result<Vec<Entry>, StreamError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        assert!(!takes(&self.panics), "a panic on purpose");
        Ok(Vec::new())
    }

    async fn acknowledge(&self, _: &[EntryId]) -> Result<(), StreamError> {
        Ok(())
    }

    async fn clock(&self) -> Result<StreamClock, StreamError> {
        match self.waiting {
            Some(_) => Ok(StreamClock {
                now_micros: 0,
                last_micros: 0,
            }),
            None => std::future::pending().await,
        }
    }

    async fn repair_clock(&self, _: i64) -> Result<StreamRepair, StreamError> {
        Ok(StreamRepair::Right)
    }

    async fn close(&self, _: i64, _: i64) -> Result<Closed, StreamError> {
        self.closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .map_err(|reason| StreamError(reason.to_owned()))
    }

    async fn trim(&self, _: i64) -> Result<(), StreamError> {
        Ok(())
    }

    async fn retained(&self) -> Result<Vec<Retained>, StreamError> {
        Ok(Vec::new())
    }

    async fn reread(
        &self,
        _: Retained,
        _: Option<EntryId>,
        _: u32,
    ) -> Result<Vec<Entry>, StreamError> {
        Ok(Vec::new())
    }

    async fn reread_ids(
        &self,
        _: Retained,
        _: Option<EntryId>,
        _: u32,
    ) -> Result<Vec<(EntryId, Option<SeenIds>)>, StreamError> {
        Ok(Vec::new())
    }

    fn shards(&self) -> u16 {
        let count = self.waiting.as_ref().map_or(0, Vec::len);
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    async fn suppressed(
        &self,
        _: SuppressedShard,
        _: NaiveDate,
        _: u64,
        _: u32,
    ) -> Result<SuppressedPage, StreamError> {
        Ok(SuppressedPage {
            counts: Vec::new(),
            next: None,
        })
    }

    async fn expire_suppressed(&self, _: SuppressedShard, _: NaiveDate) -> Result<(), StreamError> {
        Ok(())
    }

    async fn highest_ids(&self) -> Result<HighestIds, StreamError> {
        self.highest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .map_err(|reason| StreamError(reason.to_owned()))
    }

    async fn raise_highest_ids(&self, ids: HighestIds) -> Result<(), StreamError> {
        let highest = self.highest_ids().await?.max(ids);
        self.set_highest(Ok(highest));
        Ok(())
    }

    async fn lost_bytes(&self) -> Result<u64, StreamError> {
        Ok(0)
    }

    async fn memory(&self) -> Result<Memory, StreamError> {
        match self.waiting {
            Some(_) => Ok(Memory {
                used_bytes: 3,
                max_bytes: 7,
            }),
            None => std::future::pending().await,
        }
    }
}
