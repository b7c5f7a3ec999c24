//! The highest assigned ids that the shards of a stream record.

use super::stream::{Stream, key};
use balance_domain::ids::FIRST_ASSIGNED_ID;
use balance_service::events::stream::EventStream;
use balance_store::operations::HighestIds;
use balance_test_support::stream::IDENTITY;

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_an_older_version_have_the_highest_ids_of_their_shard() {
    let one = Stream::new(2).await;
    let id = |above: i64| FIRST_ASSIGNED_ID + above;
    let add = |shard: u16, user: i64, video: i64| {
        let event = format!("{:032x}", rand::random::<u128>());
        let (key, user, video) = (key(shard), user.to_string(), video.to_string());
        let mut command = vec!["XADD", &key, "*", "id", &event, "kind", "play"];
        command.extend(["user", &user, "video", &video, "counted", "1"]);
        one.command(&command);
    };
    let highest = async || one.stream.highest_ids().await.unwrap();
    assert_eq!(highest().await, HighestIds::default());
    for (user, video) in [(id(5), id(1)), (7, id(9)), (id(2), 7)] {
        add(1, user, video);
    }
    let found = |user: i64, video: i64| HighestIds {
        user: id(user),
        video: id(video),
    };
    // The first look at a shard recorded what it had seen: nothing.
    assert_eq!(highest().await, HighestIds::default());
    one.command(&["DEL", &format!("{{{IDENTITY}:u1}}:highest")]);
    assert_eq!(highest().await, found(5, 9));
    one.command(&["DEL", &key(1)]);
    assert_eq!(highest().await, found(5, 9), "they are recorded");
    one.stream.raise_highest_ids(found(4, 10)).await.unwrap();
    assert_eq!(highest().await, found(5, 10));
    one.stream.raise_highest_ids(found(6, 3)).await.unwrap();
    assert_eq!(highest().await, found(6, 10));
}
