//! Imports plays from files. An external sort merges the plays in time order, so that memory stays
//! bounded for files of any size.

use crate::{
    import::{csv_file::FileError, play_file::PlayFile},
    listing::Listing,
};
use async_trait::async_trait;
use balance_domain::{accounts::UserId, playback::Play, videos::VideoId};
use balance_store::{
    Store, StoreResult,
    import::{
        ImportId, ImportRules, Imported, MAX_PLAY_BATCH, PlayImport, PlayImportError, PlaySource,
        SourcedPlay,
    },
    operations::Actor,
};
use extsort::{ExternalSorter, Sortable};
use std::{
    io::{self, Read, Write},
    path::PathBuf,
};
use tokio::sync::mpsc;

/// Plays that are sorted in memory at a time. Further plays go through temporary files.
const SORT_SEGMENT: usize = 250_000;
/// The prefix of the name of an import's temporary folder.
const SORT_FOLDER_PREFIX: &str = ".balance-import-";
/// The most sorted batches that wait for the database.
const BATCHES_AHEAD: usize = 4;

/// A file of plays, open for reading.
pub struct NamedSource {
    /// The name of the file in errors.
    pub name: String,
    pub reader: Box<dyn Read + Send>,
}

/// The reason why an import failed. A failed import changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file is invalid.
    #[error(transparent)]
    File(#[from] FileError),
    /// The temporary files of the sort cannot be written or read.
    #[error("failed to sort the plays: {0}")]
    Sort(#[from] io::Error),
    /// The database rejected the plays.
    #[error(transparent)]
    Store(PlayImportError),
}

/// Imports plays from files, all or nothing. No play may begin after `now_micros`, in microseconds
/// since 1970 (UTC). Temporary files are in `sort_folder`, or else in the folder of the system.
///
/// # Errors
/// If a row is invalid or the database rejects the plays. A failed import changes nothing.
pub async fn import_plays(
    store: &Store,
    sources: Vec<NamedSource>,
    rules: ImportRules,
    now_micros: i64,
    sort_folder: Option<PathBuf>,
    by: &Actor,
) -> Result<Imported, ImportError> {
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let mut plays = SortedPlays::read(sources, now_micros, sort_folder);
    let name = names.join(", ");
    match store.import_plays(&mut plays, rules, &name, by).await {
        Ok(imported) => Ok(imported),
        Err(PlayImportError::Row {
            file,
            line,
            column,
            reason,
        }) => {
            let name = usize::try_from(file).ok().and_then(|file| names.get(file));
            Err(ImportError::File(FileError {
                file: name.cloned().unwrap_or_default(),
                line: Some(line),
                column,
                reason,
            }))
        }
        Err(PlayImportError::Source(error)) => Err(match error.downcast::<ImportError>() {
            Ok(error) => *error,
            Err(other) => ImportError::Store(PlayImportError::Source(other)),
        }),
        Err(error) => Err(ImportError::Store(error)),
    }
}

/// Returns a page of imports, newest first.
///
/// # Errors
/// If the store fails.
pub async fn imports(
    store: &Store,
    before: Option<ImportId>,
    limit: u32,
) -> StoreResult<Listing<PlayImport, ImportId>> {
    let items = store.imports(before, limit.saturating_add(1)).await?;
    Ok(Listing::of(items, limit, |last| last.id))
}

type Batch = Result<Vec<SourcedPlay>, ImportError>;

/// Plays in time order, read and sorted on a separate thread.
struct SortedPlays {
    batches: mpsc::Receiver<Batch>,
}

impl SortedPlays {
    fn read(sources: Vec<NamedSource>, now_micros: i64, sort_folder: Option<PathBuf>) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = sort(sources, now_micros, sort_folder, SORT_SEGMENT, &sender) {
                // Fails if the receiver is gone, which then needs no error.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self { batches }
    }
}

#[async_trait]
impl PlaySource for SortedPlays {
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError> {
        match self.batches.recv().await {
            Some(Ok(batch)) => Ok(batch),
            Some(Err(error)) => Err(PlayImportError::Source(Box::new(error))),
            None => Ok(Vec::new()),
        }
    }
}

fn sort(
    sources: Vec<NamedSource>,
    now_micros: i64,
    sort_folder: Option<PathBuf>,
    segment: usize,
    sender: &mpsc::Sender<Batch>,
) -> Result<(), ImportError> {
    // Each import has a temporary folder, because the sorter numbers its files from 0.
    let folder = tempfile::Builder::new()
        .prefix(SORT_FOLDER_PREFIX)
        .tempdir_in(sort_folder.unwrap_or_else(std::env::temp_dir))?;
    let mut sorter = ExternalSorter::new()
        .with_segment_size(segment)
        .with_sort_dir(folder.path().to_path_buf())
        .pushed();
    for (file, source) in (0..).zip(sources) {
        for row in PlayFile::new(source.reader, source.name, file, now_micros)? {
            sorter.push(ByTime(row?))?;
        }
    }
    let mut batch = Vec::with_capacity(MAX_PLAY_BATCH);
    for play in sorter.done()? {
        batch.push(play?.0);
        if batch.len() == MAX_PLAY_BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(MAX_PLAY_BATCH));
            if sender.blocking_send(Ok(full)).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = sender.blocking_send(Ok(batch));
    }
    Ok(())
}

/// A play, ordered by time. Different plays of the same time have an order that does not depend on
/// the order of the files.
struct ByTime(SourcedPlay);

impl ByTime {
    fn key(&self) -> (i64, UserId, VideoId, u32, u64) {
        let SourcedPlay { play, file, line } = self.0;
        (
            play.started_at_micros,
            play.user_id,
            play.video_id,
            file,
            line,
        )
    }
}

impl Ord for ByTime {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ByTime {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByTime {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByTime {}

/// Eight numbers of eight bytes.
const RECORD_BYTES: usize = 64;

impl Sortable for ByTime {
    fn encode<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        let SourcedPlay { play, file, line } = self.0;
        let numbers = [
            play.user_id.0.to_le_bytes(),
            play.video_id.0.to_le_bytes(),
            play.owner_id.0.to_le_bytes(),
            play.started_at_micros.to_le_bytes(),
            play.play_time_s.to_le_bytes(),
            play.duration_s.to_le_bytes(),
            u64::from(file).to_le_bytes(),
            line.to_le_bytes(),
        ];
        writer.write_all(numbers.as_flattened())
    }

    fn decode<R: Read>(reader: &mut R) -> io::Result<Self> {
        let mut bytes = [0_u8; RECORD_BYTES];
        reader.read_exact(&mut bytes)?;
        let (numbers, _) = bytes.as_chunks::<8>();
        let signed = |n: usize| i64::from_le_bytes(numbers[n]);
        let file = u64::from_le_bytes(numbers[6]);
        Ok(Self(SourcedPlay {
            play: Play {
                user_id: UserId(signed(0)),
                video_id: VideoId(signed(1)),
                owner_id: UserId(signed(2)),
                started_at_micros: signed(3),
                play_time_s: signed(4),
                duration_s: signed(5),
            },
            file: u32::try_from(file).map_err(io::Error::other)?,
            line: u64::from_le_bytes(numbers[7]),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Cursor, path::Path, thread};

    /// Sorts `count` plays of one user, given latest first, in segments of ten.
    fn sorted(user: i64, count: usize, folder: &Path) -> Vec<SourcedPlay> {
        let mut csv =
            "user_id,video_id,owner_id,started_at,play_time_s,video_duration_s\n".to_owned();
        for n in (0..count).rev() {
            let (minute, second) = (n / 60 % 60, n % 60);
            csv.push_str(&format!(
                "{user},{},,2024-06-01T00:{minute:02}:{second:02}Z,1,10\n",
                n + 1
            ));
        }
        let source = NamedSource {
            name: "plays.csv".to_owned(),
            reader: Box::new(Cursor::new(csv)),
        };
        let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let folder = folder.to_path_buf();
        let sorting = thread::spawn(move || {
            sort(vec![source], i64::MAX, Some(folder), 10, &sender).unwrap();
        });
        let mut plays = Vec::new();
        while let Some(batch) = batches.blocking_recv() {
            plays.extend(batch.unwrap());
        }
        sorting.join().unwrap();
        plays
    }

    #[test]
    fn concurrent_imports_in_one_folder_are_separate_and_leave_no_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("0"), "unrelated").unwrap();
        let lists: Vec<Vec<SourcedPlay>> = thread::scope(|scope| {
            let folder = folder.path();
            let sorts: Vec<_> = (1..=4)
                .map(|user| scope.spawn(move || sorted(user, 3_000, folder)))
                .collect();
            sorts.into_iter().map(|sort| sort.join().unwrap()).collect()
        });
        for (user, plays) in (1..).zip(lists) {
            assert_eq!(plays.len(), 3_000);
            assert!(plays.iter().all(|row| row.play.user_id == UserId(user)));
            assert!(plays.is_sorted_by_key(|row| row.play.started_at_micros));
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        let kept = std::fs::read_to_string(folder.path().join("0")).unwrap();
        assert_eq!(kept, "unrelated");
    }
}
