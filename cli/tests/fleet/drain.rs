//! The drain in real workers: what is in the stream is settled once, whoever dies, and no day is
//! closed while the stream is away.

use crate::{
    common::program::until,
    fleet::{Fleet, Worker},
    place::Place,
    plays,
    servers::Servers,
};

const DAY: &str = "2024-03-30";
/// The next day (Seoul), in milliseconds.
const NEXT_DAY_MS: i64 = 1_711_810_800_000;
const EVENTS: usize = 6_000;

/// Appends so many views of the next day to the stream, each of another user.
fn fill(place: &Place) {
    let script = "for n = 1, tonumber(ARGV[2]) do \
                  redis.call('XADD', KEYS[1], (tonumber(ARGV[1]) + n) .. '-0', \
                  'id', string.format('%032x', n), 'kind', 'play', 'user', tostring(10000 + n), \
                  'video', tostring(1 + n % 50), 'counted', '1') end return 'OK'";
    let (first, count) = (NEXT_DAY_MS.to_string(), EVENTS.to_string());
    let added = place.servers.redis.ask(
        place.number,
        &["EVAL", script, "1", "{s0}:events", &first, &count],
    );
    assert_eq!(added, ["OK"]);
}

#[test]
fn events_are_settled_once_whoever_dies_while_they_are_written() {
    let place = Place::new(&Servers::shared()).with("LEASE_S", 2);
    place.import(&plays::day(DAY, 50));
    fill(&place);
    let mut fleet = Fleet::start(&place, 2);
    let written = "SELECT COUNT(*) FROM play_history WHERE date = '2024-03-31'";
    until("some events to be written", || {
        place.database.number(written) > 0
    });
    fleet.workers.remove(0).kill();
    eprintln!(
        "a worker died when {} of {EVENTS} events were written",
        place.database.number(written)
    );
    let again = place.balance(&["worker"]);
    fleet.workers.push(Worker::start(&place, again));
    place.until_settled(2, "both days");
    fleet.end();
    place.assert_all_complete(2, "both days");
    assert_eq!(place.database.value(written), EVENTS.to_string());
    let views = "SELECT SUM(view_count) FROM video_statistics WHERE date = '2024-03-31'";
    assert_eq!(place.database.value(views), EVENTS.to_string());
    for table in ["late_event", "rejected_event"] {
        let all = format!("SELECT COUNT(*) FROM {table}");
        assert_eq!(place.database.value(&all), "0", "{table}");
    }
    place.balance(&["verify"]).run().succeeded();

    // One that comes now is late, and one that is not ours is rejected: neither counts.
    let redis = &place.servers.redis;
    let ask = |command: &[&str]| redis.ask(place.number, command);
    ask(&["DEL", "{s0}:events"]);
    let late = (NEXT_DAY_MS + 1).to_string();
    let id = "f".repeat(32);
    ask(&[
        "XADD",
        "{s0}:events",
        &late,
        "id",
        &id,
        "kind",
        "play",
        "user",
        "1",
        "video",
        "1",
        "counted",
        "1",
    ]);
    ask(&["XADD", "{s0}:events", "*", "what", "ever"]);
    let fleet = Fleet::start(&place, 1);
    until("both to be told apart", || {
        let of = |table: &str| {
            place
                .database
                .value(&format!("SELECT COUNT(*) FROM {table}"))
        };
        of("late_event") == "1" && of("rejected_event") == "1"
    });
    fleet.end();
    assert_eq!(place.database.value(written), EVENTS.to_string());
}

#[test]
fn no_day_is_closed_while_the_stream_is_away() {
    let servers = Servers::start();
    let place = Place::new(&servers)
        .with("LEASE_S", 2)
        .with("CLOSE_TIMEOUT_S", 3_600);
    let fleet = Fleet::start(&place, 1);
    place.import(&plays::day(DAY, 50));
    servers.redis.daemon.kill();
    let launched = place.balance(&["jobs", "launch", "--date", DAY]).run();
    launched.succeeded();
    let worker = &fleet.workers[0];
    until("closeDayStep to have been tried", || {
        let tries = "SELECT VERSION FROM BATCH_STEP_EXECUTION WHERE STEP_NAME = 'closeDayStep'";
        let version = place.database.rows(tries);
        version
            .first()
            .is_some_and(|version| version.parse::<u64>().is_ok_and(|version| version >= 4))
    });
    let closed = "SELECT COALESCE(date, 'open') FROM closed_through";
    assert_eq!(place.database.value(closed), "open");
    assert!(worker.stderr().contains("away"), "{}", worker.stderr());
    servers.redis.daemon.start_again();
    place.until_settled(1, "after the stream came back");
    fleet.end();
    place.assert_all_complete(1, "after the stream came back");

    // And not for ever.
    place.unsettle();
    let place = place.with("CLOSE_TIMEOUT_S", 1);
    let fleet = Fleet::start(&place, 1);
    place.until_settled(1, "with a limit that is not reached");
    place.unsettle();
    servers.redis.daemon.kill();
    place
        .balance(&["jobs", "launch", "--date", DAY])
        .run()
        .succeeded();
    let reason = "SELECT EXIT_MESSAGE FROM BATCH_JOB_EXECUTION WHERE STATUS = 'FAILED'";
    until("the limit to be reached", || {
        !place.database.rows(reason).is_empty()
    });
    let reason = place.database.value(reason);
    assert!(reason.contains("not closed within 1 s"), "{reason}");
    fleet.end();
    // Nobody settles a fleet's day without the fleet's stream.
    let alone = place.without("REDIS_URL");
    let alone = alone.balance(&["settle", "--date", DAY]).run();
    alone.failed(&["REDIS_URL"]);
}
