use super::*;
use crate::verification::pay::tests::rates;
use balance_store::verification::Skips;

fn correct() -> VideoDayFacts {
    VideoDayFacts {
        video_id: 7,
        plays: Some(PlayFacts {
            views: 2,
            seconds: 50,
            least_seconds: 0,
            counted: (0, 1),
        }),
        ad_views: 1,
        statistics: Some(StatisticsFacts {
            view_count: 2,
            total_play_time: 50,
            ad_view_count: 1,
            cumulative: (100_001, 5),
            before: (99_999, 4),
            is_registered: true,
        }),
        revenue: Some(RevenueFacts {
            view_revenue: 210,
            ad_revenue: 100,
            total_revenue: 310,
        }),
        skips: Skips::default(),
    }
}

/// Changes a correct video and returns its differences, as `table.column expected/found`.
fn differences(change: impl FnOnce(&mut VideoDayFacts)) -> Vec<String> {
    let mut video = correct();
    change(&mut video);
    let mut findings = Findings::new(10);
    let rates = rates();
    let day = SettledDay {
        date: NaiveDate::default(),
        rates: Some(&rates),
        rates_are_damaged: false,
    };
    day.verify(&video, &mut findings);
    Kind::ALL
        .into_iter()
        .flat_map(|kind| findings.shown(kind))
        .map(|one| {
            format!(
                "{}.{} {}/{}",
                one.table, one.column, one.expected, one.found
            )
        })
        .collect()
}

fn row(video: &mut VideoDayFacts) -> &mut StatisticsFacts {
    video.statistics.as_mut().unwrap()
}

#[test]
fn a_correct_video_is_clean_and_one_wrong_value_is_one_difference() {
    assert!(differences(|_| {}).is_empty());
    let one = |change: fn(&mut VideoDayFacts), expected: &str| {
        assert_eq!(differences(change), [expected]);
    };
    one(|v| row(v).view_count = 3, "video_statistics.view_count 2/3");
    one(
        |v| row(v).total_play_time = 51,
        "video_statistics.total_play_time 50/51",
    );
    one(
        |v| row(v).ad_view_count = 0,
        "video_statistics.ad_view_count 1/0",
    );
    one(
        |v| row(v).cumulative.1 = 6,
        "video_statistics.cumulative_ad_view_count 5/6",
    );
    one(
        |v| row(v).is_registered = false,
        "video.row the video/no row",
    );
    one(
        |v| v.revenue.as_mut().unwrap().view_revenue = 200,
        "video_revenue.view_revenue 210/200",
    );
    one(
        |v| v.revenue.as_mut().unwrap().total_revenue = 311,
        "video_revenue.total_revenue 310/311",
    );
    one(|v| v.revenue = None, "video_revenue.row 210 + 100/no row");
    one(
        |v| v.plays.as_mut().unwrap().least_seconds = -1,
        "play_history.play_time 0 or more/-1",
    );
    one(
        |v| v.plays.as_mut().unwrap().counted.1 = 2,
        "play_history.counted 0 or 1/2",
    );
}

#[test]
fn rows_that_are_missing_or_too_many_are_named() {
    let missing = differences(|video| {
        video.statistics = None;
        video.revenue = None;
    });
    let expected = [
        "video_statistics.row 2 views, 50 s, 1 ad views/no row",
        "video_revenue.row a row/no row",
    ];
    assert_eq!(missing, expected);
    let extra = differences(|video| {
        video.plays = None;
        video.ad_views = 0;
    });
    let expected = [
        "video_statistics.row no row/2 views, 50 s, 1 ad views",
        "video_revenue.row no row/210 + 100 = 310",
    ];
    assert_eq!(extra, expected);
}

#[test]
fn a_skipped_video_has_no_rows() {
    let skipped = |video: &mut VideoDayFacts| {
        video.skips.statistics = true;
        video.statistics = None;
        video.revenue = None;
        video.plays.as_mut().unwrap().least_seconds = -3;
    };
    assert!(differences(skipped).is_empty());
    let unpaid = |video: &mut VideoDayFacts| {
        video.skips.revenue = true;
        video.revenue = None;
    };
    assert!(differences(unpaid).is_empty());
}
