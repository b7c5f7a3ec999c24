//! The upgrade of [`RedisStream`] from the layout by video.

use crate::{
    by_video, group, identity,
    stream::RedisStream,
    stream_error::{missing, stream_error},
};
use async_trait::async_trait;
use balance_service::events::stream::{EventStream, Retired, StreamByVideo, StreamError};
use balance_store::events::{Entry, EntryId};

#[async_trait]
impl StreamByVideo for RedisStream {
    async fn create_by_video(&self) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        let created = async {
            for shard in self.shards_by_video() {
                by_video::create(&mut connection, shard).await?;
            }
            identity::register(&mut connection, &self.identity).await
        };
        created.await.map_err(stream_error)
    }

    async fn read_by_video(&self, consumer: &str, limit: u32) -> Result<Vec<Entry>, StreamError> {
        let mut connection = self.connection.clone();
        let mut all = Vec::new();
        for shard in self.shards_by_video() {
            let read = group::read(&mut connection, shard, consumer, limit).await;
            all.extend(read.map_err(stream_error)?.unwrap_or_default());
        }
        Ok(all)
    }

    async fn acknowledge_by_video(&self, ids: &[EntryId]) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        for shard in self.shards_by_video() {
            let acknowledged = group::acknowledge(&mut connection, shard, ids).await;
            acknowledged.map_err(stream_error)?;
        }
        Ok(())
    }

    async fn retire(&self) -> Result<Retired, StreamError> {
        let mut connection = self.connection.clone();
        let mut all = Retired::All;
        for shard in self.shards_by_video() {
            let reply = by_video::retire(&mut connection, shard).await;
            match reply.map_err(stream_error)?.as_str() {
                "retired" => {}
                // The loop continues, so that older processes find as few streams as possible.
                "waiting" => all = Retired::Waiting,
                "both" => {
                    let (stream, retired) = (shard.stream(), shard.retired());
                    return Ok(Retired::Conflict(format!("{stream} and {retired}")));
                }
                "missing" => return Err(missing(&self.identity)),
                other => {
                    let reason = format!("unexpected reply of retire_stream.lua: '{other}'");
                    return Err(StreamError(reason));
                }
            }
        }
        Ok(all)
    }

    async fn move_keys(&self) -> Result<u64, StreamError> {
        let mut connection = self.connection.clone();
        let moved = by_video::move_keys(&mut connection, &self.identity, self.shards());
        moved.await.map_err(stream_error)
    }
}
