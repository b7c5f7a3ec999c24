use super::*;

/// The first ID of a new account.
const FIRST_ACCOUNT: i64 = 8_000_000_000_000_001;

fn identity() -> StreamIdentity {
    "0123456789abcdef".parse().unwrap()
}

#[test]
fn viewers_of_every_range_of_ids_spread_evenly() {
    let identity = identity();
    const USERS: i64 = 20_000;
    for shards in [2_u16, 3, 8, 16, 64] {
        for (first, step) in [
            (1, 1),
            (FIRST_ACCOUNT, 1),
            (1, 2),
            (0, 64),
            (FIRST_ACCOUNT, 8),
            (0, 1_000),
        ] {
            let mut counts = vec![0_u32; usize::from(shards)];
            for n in 0..USERS {
                let shard = Shard::of(&identity, UserId(first + n * step), shards);
                counts[usize::from(shard.number)] += 1;
            }
            let mean = f64::from(u32::try_from(USERS).unwrap()) / f64::from(shards);
            // Five standard deviations of a uniform choice.
            let tolerance = 5.0 * mean.sqrt();
            for count in &counts {
                let distance = (f64::from(*count) - mean).abs();
                assert!(
                    distance < tolerance,
                    "{shards} shards, {first} by {step}: {counts:?}"
                );
            }
        }
    }
}

#[test]
fn the_shard_of_a_viewer_never_changes() {
    let identity = identity();
    let of = |user| Shard::of(&identity, UserId(user), 64).number;
    assert_eq!([1, 2, 7, FIRST_ACCOUNT].map(of), [51, 28, 60, 52]);
    assert_eq!(Shard::of(&identity, UserId(7), 1).number, 0);
}

#[test]
fn each_key_of_a_viewer_gets_the_shard_of_the_viewer() {
    let identity = identity();
    let moved = |key: &str| by_viewer(&identity, &format!("{{{identity}:s2}}:{key}"), 8);
    let shard = Shard::of(&identity, UserId(7), 8);
    for key in ["gate:7:9", "session:7:9", "answer:7:a:b}:c", "answer:7:"] {
        assert_eq!(moved(key), Some(shard.key(key)), "{key}");
    }
    let video = format!("{{{identity}:u2}}:views:9");
    assert_eq!(moved("views:9"), Some(video));
    for key in [
        "events",
        "retired",
        "refused:2024-06-01",
        "lag-check",
        "gate:x:9",
    ] {
        assert_eq!(moved(key), None, "{key}");
    }
    let other = "{fedcba9876543210:s2}:gate:7:9";
    assert_eq!(by_viewer(&identity, other, 8), None);
}
