//! Restores of a database from a backup. Ids that were assigned after the backup never come back, and
//! tokens of before the restore are not valid afterwards.

use crate::{
    Store, StoreError, StoreResult,
    id_guard::{CurrentGeneration, Generation, HighestIds},
    operations::{Actor, AuditAction, audit},
    sql::{
        backup::MARK,
        new_id::{self, NewId},
        statement::params,
        tx::Tx,
    },
};

/// The setting that holds the generation. A database that was never restored has none.
const GENERATION: &str = "restore_generation";

/// A completed restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletedRestore {
    pub generation: Generation,
    /// The next ids that are assigned.
    pub next: HighestIds,
}

impl Store {
    /// Returns the generation that this process read last, at the call of
    /// [`assigned_ids`](Self::assigned_ids).
    pub const fn generation(&self) -> &CurrentGeneration {
        &self.ids.generation
    }

    /// Returns the highest ids of accounts and videos that the sequences have assigned, and reads the
    /// generation.
    pub async fn assigned_ids(&self) -> StoreResult<HighestIds> {
        let mut tx = self.db.read().await?;
        let generation = generation(&mut tx).await?;
        let assigned = HighestIds {
            user: new_id::highest(&mut tx, NewId::User).await?,
            video: new_id::highest(&mut tx, NewId::Video).await?,
        };
        tx.rollback().await?;
        self.ids.generation.set(generation);
        Ok(assigned)
    }

    /// Rejects new accounts, videos and ads in this process. Returns whether they were possible before.
    pub fn block_new_ids(&self, reason: String) -> bool {
        self.ids.block(reason)
    }

    /// Permits new accounts and videos in this process, with ids above the given ones.
    pub fn allow_new_ids(&self, above: HighestIds) {
        self.ids.allow(above);
    }

    /// Checks that new ids are possible: that this process knows of no incomplete restore.
    ///
    /// # Errors
    /// [`StoreError::RestoreIncomplete`] with the reason.
    pub fn check_new_ids(&self) -> StoreResult<()> {
        self.ids.check().map(|_| ())
    }

    /// Completes a restore: raises the sequences of ids far above the given ids and those of the backup,
    /// and sets a new generation. Can be repeated.
    pub async fn complete_restore(
        &self,
        seen: HighestIds,
        by: &Actor,
    ) -> StoreResult<CompletedRestore> {
        let mut tx = self.db.write().await?;
        let completed = complete(&mut tx, seen, by).await?;
        tx.commit().await?;
        self.ids.generation.set(completed.generation);
        Ok(completed)
    }

    /// Completes the restore of an SQLite file that `balance backup` wrote, if this is the first process
    /// that opens it to write.
    pub async fn complete_restored_backup(&self) -> StoreResult<Option<CompletedRestore>> {
        if !is_marked(&mut self.db.read().await?).await? {
            return Ok(None);
        }
        let mut tx = self.db.write().await?;
        // Another process can have completed it.
        if !is_marked(&mut tx).await? {
            return Ok(None);
        }
        let completed = complete(&mut tx, HighestIds::default(), &Actor::Console).await?;
        tx.commit().await?;
        self.ids.generation.set(completed.generation);
        Ok(Some(completed))
    }
}

async fn complete(tx: &mut Tx, seen: HighestIds, by: &Actor) -> StoreResult<CompletedRestore> {
    let now_micros = tx.clock_micros();
    let next = HighestIds {
        user: new_id::raise(tx, NewId::User, seen.user, now_micros).await?,
        video: new_id::raise(tx, NewId::Video, seen.video, now_micros).await?,
    };
    let (last_ad,): (i64,) = tx
        .fetch_one("SELECT COALESCE(MAX(id), 0) FROM ad", &[])
        .await?;
    new_id::raise(tx, NewId::Ad, last_ad, now_micros).await?;
    let generation = Generation(rand::random());
    tx.execute(
        "REPLACE INTO setting (name, value) VALUES (?, ?)",
        &params![GENERATION, generation.to_string()],
    )
    .await?;
    tx.execute("DELETE FROM setting WHERE name = ?", &params![MARK])
        .await?;
    let subject = format!(
        "generation {generation}, accounts from {}, videos from {}",
        next.user, next.video
    );
    audit::record(tx, by, AuditAction::CompleteRestore, &subject).await?;
    Ok(CompletedRestore { generation, next })
}

/// Returns whether a database is a backup that no process has opened to write.
async fn is_marked(tx: &mut Tx) -> StoreResult<bool> {
    let row: Option<(String,)> = tx
        .fetch_optional("SELECT value FROM setting WHERE name = ?", &params![MARK])
        .await?;
    Ok(row.is_some())
}

async fn generation(tx: &mut Tx) -> StoreResult<Generation> {
    let row: Option<(String,)> = tx
        .fetch_optional(
            "SELECT value FROM setting WHERE name = ?",
            &params![GENERATION],
        )
        .await?;
    let Some((text,)) = row else {
        return Ok(Generation::default());
    };
    text.parse()
        .map_err(|_| StoreError::Damaged(format!("setting: '{text}'")))
}
