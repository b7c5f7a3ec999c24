//! What was watched and what it pays, by day, week and month.

use crate::{
    auth::{token::Person, user::User},
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{
        cursor,
        date::{self, Day},
    },
    openapi::tag::Tag,
    reports::{
        periods::{Asked, PeriodName, all_periods, is_settled, kinds},
        representation::{Format, Representation},
        revenue::{RevenueAnswer, RevenueView},
        top::{TopAnswer, TopView},
        video_days::VideoStatisticsView,
    },
};
use balance_domain::{
    accounts::{Role, UserId},
    period::PeriodKind,
    videos::VideoId,
};
use balance_service::{
    jobs::launcher::Launcher,
    reports::{MAX_ITEMS, Reports, RevenueReport, revenue_csv, top_csv, video_csv},
    videos::Videos,
};
use balance_store::reports::TopBy;
use chrono::{Days, NaiveDate};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use serde::{Deserialize, Serialize};

/// The most days of a video that are read at once: a leap year's.
const MAX_DAYS: u64 = 366;
/// The days that are read where nobody says from when on: a month's.
const DEFAULT_DAYS: u64 = 31;

/// Where revenues go on, as a cursor holds it.
#[derive(Debug, Serialize, Deserialize)]
struct After {
    period: String,
    from: String,
    video_id: i64,
}

responses! {
    RevenueErrors: 401 403;
    TopErrors: 401;
    StatisticsErrors: 401 403 404;
}

const fn default_limit() -> u32 {
    20
}

const fn default_format() -> Format {
    Format::Json
}

/// Reports.
pub(crate) struct ReportsApi {
    pub(crate) reports: Reports,
    pub(crate) videos: Videos,
    /// Knows which day is over.
    pub(crate) launcher: Launcher,
}

impl ReportsApi {
    /// A day that was asked for, or the last that is over.
    fn day(&self, asked: Option<Day>, field: &str) -> Result<NaiveDate, ApiError> {
        match asked {
            Some(Day(asked)) => date::business(asked, field),
            None => Ok(self.launcher.last_day_over()?),
        }
    }

    async fn top(
        &self,
        by: TopBy,
        date: Option<Day>,
        periods: &[PeriodName],
        format: Format,
        known: Option<&str>,
    ) -> Result<Representation<TopAnswer>, ApiError> {
        let date = self.day(date, "date")?;
        let mut lists = Vec::new();
        for kind in kinds(periods)? {
            lists.push((by, self.reports.top(date, kind, by).await?));
        }
        let is_settled = lists
            .iter()
            .all(|(_, report)| is_settled(report.period, report.settled_through));
        let answer = match format {
            Format::Csv => {
                let mut text = Vec::new();
                top_csv(&lists, &mut text).map_err(ApiError::internal)?;
                Representation::csv(text)
            }
            Format::Json => {
                let views = lists
                    .iter()
                    .map(|(_, report)| (report.period.kind, TopView::from(report)));
                Representation::json(&views.collect::<Asked<TopView>>().into())
            }
        };
        Ok(answer.settled(is_settled, known))
    }
}

/// Whose revenues somebody reads: an admin those of all or of one, everybody else their own.
fn whose(person: Person, asked: Option<i64>) -> Result<Option<UserId>, ApiError> {
    let asked = asked.map(UserId);
    match person.role {
        Role::Admin => Ok(asked),
        Role::User if asked.is_some_and(|asked| asked != person.user_id) => Err(ApiError::new(
            Code::OtherUser,
            "ownerId is not the user of the access token; it can be left out.",
        )),
        Role::User => Ok(Some(person.user_id)),
    }
}

/// The video after which a page begins, if the cursor is of this period.
fn after(
    cursor: Option<&str>,
    kinds: &[PeriodKind],
    date: NaiveDate,
) -> Result<Option<VideoId>, ApiError> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let after: After = cursor::read(cursor)?;
    let [kind] = kinds else {
        return Err(ApiError::field(cursor::NAME, "needs one period"));
    };
    let period = kind.containing(date);
    if after.period != kind.name() || after.from != period.from.to_string() {
        return Err(ApiError::field(cursor::NAME, "belongs to another period"));
    }
    Ok(Some(VideoId(after.video_id)))
}

fn next(report: &RevenueReport) -> Result<Option<String>, ApiError> {
    let after = |id: VideoId| {
        cursor::write(&After {
            period: report.period.kind.name().to_owned(),
            from: report.period.from.to_string(),
            video_id: id.0,
        })
    };
    report.next.map(after).transpose()
}

#[OpenApi(tag = "Tag::Reports")]
impl ReportsApi {
    /// Read revenues
    ///
    /// Pay by video for the day, the week and the month that hold a date: a creator's own, an
    /// admin's all. Weeks and months are sums of settled days. One period is answered as it is,
    /// several by their names. While a
    /// day is settled, a week's or month's items may have it before its total does. What is settled
    /// carries an `ETag`.
    #[oai(path = "/revenues", method = "get", operation_id = "listRevenues")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter")]
    async fn revenues(
        &self,
        user: User,
        /// A day of the periods; without one, the last that is over.
        date: Query<Option<Day>>,
        /// The periods, separated by commas; without any, all three.
        #[oai(
            explode = false,
            default = "all_periods",
            validator(min_items = 1, max_items = 3, unique_items)
        )]
        period: Query<Vec<PeriodName>>,
        /// Only the videos of this user; for anyone but admins it is whoever asks.
        #[oai(name = "ownerId", validator(minimum(value = "1")))]
        owner_id: Query<Option<i64>>,
        /// The `next` of the page before, of the same period.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// Videos on a page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "1000"))
        )]
        limit: Query<u32>,
        /// The form.
        #[oai(default = "default_format")]
        format: Query<Format>,
        /// The `ETag` of a report that the client has.
        #[oai(name = "If-None-Match")]
        known: Header<Option<String>>,
    ) -> Result<Representation<RevenueAnswer>, ErrorResponse<RevenueErrors>> {
        let owner = whose(user.0, owner_id.0)?;
        let date = self.day(date.0, "date")?;
        let kinds = kinds(&period.0)?;
        let after = after(cursor.0.as_deref(), &kinds, date)?;
        let limit = limit.0.clamp(1, MAX_ITEMS);
        let mut reports = Vec::new();
        for kind in kinds {
            let report = self
                .reports
                .revenue(date, kind, owner, after, limit)
                .await?;
            let next = next(&report)?;
            reports.push((report, next));
        }
        let is_settled = reports
            .iter()
            .all(|(report, _)| is_settled(report.period, report.settled_through));
        let owner = owner_id.0.map(|id| format!("&ownerId={id}"));
        let owner = owner.unwrap_or_default();
        let form = match format.0 {
            Format::Json => "",
            Format::Csv => "&format=csv",
        };
        let links = reports.iter().filter_map(|(report, next)| {
            let (kind, next) = (report.period.kind, next.as_ref()?);
            let address = format!(
                "/revenues?date={date}&period={kind}{owner}&limit={limit}{form}&cursor={next}"
            );
            Some((kind.name(), address))
        });
        let links = links.collect();
        let answer = match format.0 {
            Format::Csv => {
                let mut text = Vec::new();
                let reports = reports.iter().map(|(report, _)| report);
                revenue_csv(reports, &mut text).map_err(ApiError::internal)?;
                Representation::csv(text)
            }
            Format::Json => {
                let views = reports
                    .into_iter()
                    .map(|(report, next)| (report.period.kind, RevenueView::of(&report, next)));
                Representation::json(&views.collect::<Asked<RevenueView>>().into())
            }
        };
        Ok(answer.next(links).settled(is_settled, known.0.as_deref()))
    }

    /// Read the videos viewed most
    ///
    /// The five with the most counted views of all, for everybody, by day, week and month. Ties go
    /// to the lower video id.
    #[oai(
        path = "/top5/view-count",
        method = "get",
        operation_id = "listTopByViewCount"
    )]
    async fn top_by_view_count(
        &self,
        _user: User,
        /// A day of the periods; without one, the last that is over.
        date: Query<Option<Day>>,
        /// The periods, separated by commas; without any, all three.
        #[oai(
            explode = false,
            default = "all_periods",
            validator(min_items = 1, max_items = 3, unique_items)
        )]
        period: Query<Vec<PeriodName>>,
        /// The form.
        #[oai(default = "default_format")]
        format: Query<Format>,
        /// The `ETag` of a report that the client has.
        #[oai(name = "If-None-Match")]
        known: Header<Option<String>>,
    ) -> Result<Representation<TopAnswer>, ErrorResponse<TopErrors>> {
        let known = known.0.as_deref();
        Ok(self
            .top(TopBy::ViewCount, date.0, &period.0, format.0, known)
            .await?)
    }

    /// Read the videos watched longest
    ///
    /// The five with the most seconds watched of all, for everybody, by day, week and month. Ties go
    /// to the lower video id.
    #[oai(
        path = "/top5/play-time",
        method = "get",
        operation_id = "listTopByPlayTime"
    )]
    async fn top_by_play_time(
        &self,
        _user: User,
        /// A day of the periods; without one, the last that is over.
        date: Query<Option<Day>>,
        /// The periods, separated by commas; without any, all three.
        #[oai(
            explode = false,
            default = "all_periods",
            validator(min_items = 1, max_items = 3, unique_items)
        )]
        period: Query<Vec<PeriodName>>,
        /// The form.
        #[oai(default = "default_format")]
        format: Query<Format>,
        /// The `ETag` of a report that the client has.
        #[oai(name = "If-None-Match")]
        known: Header<Option<String>>,
    ) -> Result<Representation<TopAnswer>, ErrorResponse<TopErrors>> {
        let known = known.0.as_deref();
        Ok(self
            .top(TopBy::PlayTime, date.0, &period.0, format.0, known)
            .await?)
    }

    /// Read a video's days
    ///
    /// What was watched of a video on each settled day, and what that pays: for its owner and for
    /// admins.
    #[oai(
        path = "/videos/:id/statistics",
        method = "get",
        operation_id = "getVideoStatistics"
    )]
    async fn video(
        &self,
        user: User,
        /// The video.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The first day, at most 365 days before the last; without one, 30 days before it.
        from: Query<Option<Day>>,
        /// The last day; without one, the last that is over.
        to: Query<Option<Day>>,
        /// The form.
        #[oai(default = "default_format")]
        format: Query<Format>,
        /// The `ETag` of a report that the client has.
        #[oai(name = "If-None-Match")]
        known: Header<Option<String>>,
    ) -> Result<Representation<VideoStatisticsView>, ErrorResponse<StatisticsErrors>> {
        let video = self.videos.video(VideoId(id.0)).await?.video;
        if user.0.role != Role::Admin && user.0.user_id != video.owner_id {
            let detail = "A video's statistics are for its owner.";
            return Err(ApiError::new(Code::OtherUser, detail).into());
        }
        let to = self.day(to.0, "to")?;
        let from = match from.0 {
            Some(Day(from)) => date::business(from, "from")?,
            None => to
                .checked_sub_days(Days::new(DEFAULT_DAYS - 1))
                .unwrap_or(to),
        };
        if from > to {
            return Err(ApiError::field("from", "must not be after to").into());
        }
        if from
            .checked_add_days(Days::new(MAX_DAYS - 1))
            .is_some_and(|last| last < to)
        {
            let reason = format!("must be such that there are at most {MAX_DAYS} days");
            return Err(ApiError::field("from", reason).into());
        }
        let report = self.reports.video(video.id, from, to).await?;
        let is_settled = report.settled_through.is_some_and(|through| through >= to);
        let answer = match format.0 {
            Format::Csv => {
                let mut text = Vec::new();
                video_csv(video.id, &report, &mut text).map_err(ApiError::internal)?;
                Representation::csv(text)
            }
            Format::Json => {
                let view = VideoStatisticsView::of(video.id, (from, to), &report);
                Representation::json(&view)
            }
        };
        Ok(answer.settled(is_settled, known.0.as_deref()))
    }
}
