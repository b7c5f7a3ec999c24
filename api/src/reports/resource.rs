//! The operations of reports: revenues and top lists.

use crate::{
    auth::{token::Identity, user::User},
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{
        cursor::{self, default_limit},
        date::{self, Day},
    },
    openapi::tag::Tag,
    reports::{
        periods::{PeriodName, PeriodReports, all_periods, is_settled, kinds},
        representation::{Format, Representation, default_format},
        revenue::{RevenueResponse, RevenueView},
        top::{TopResponse, TopView},
    },
};
use balance_domain::{
    accounts::{Role, UserId},
    period::PeriodKind,
    videos::VideoId,
};
use balance_service::{
    jobs::launcher::Launcher,
    reports::{MAX_ITEMS, Reports, RevenueReport, revenue_csv, top_csv},
};
use balance_store::reports::TopBy;
use chrono::NaiveDate;
use poem_openapi::{
    OpenApi,
    param::{Header, Query},
};
use serde::{Deserialize, Serialize};

/// The position in a list of revenues, as encoded in a cursor.
#[derive(Debug, Serialize, Deserialize)]
struct After {
    period: String,
    from: String,
    video_id: i64,
}

responses! {
    RevenueErrors: 401 403;
    TopErrors: 401;
}

pub(crate) struct ReportsApi {
    pub(crate) reports: Reports,
    /// Determines the last day that is over.
    pub(crate) launcher: Launcher,
}

impl ReportsApi {
    /// Returns the requested day, or the last day that is over.
    fn day(&self, requested: Option<Day>, field: &str) -> Result<NaiveDate, ApiError> {
        match requested {
            Some(Day(date)) => date::check_business_day(date, field),
            None => Ok(self.launcher.last_day_over()?),
        }
    }

    async fn top(
        &self,
        by: TopBy,
        date: Option<Day>,
        periods: &[PeriodName],
        format: Format,
        if_none_match: Option<&str>,
    ) -> Result<Representation<TopResponse>, ApiError> {
        let date = self.day(date, "date")?;
        let mut lists = Vec::new();
        for kind in kinds(periods)? {
            lists.push((by, self.reports.top(date, kind, by).await?));
        }
        let is_settled = lists
            .iter()
            .all(|(_, report)| is_settled(report.period, report.settled_through));
        let response = match format {
            Format::Csv => {
                let mut text = Vec::new();
                top_csv(&lists, &mut text).map_err(ApiError::internal)?;
                Representation::csv(text)
            }
            Format::Json => {
                let views = lists
                    .iter()
                    .map(|(_, report)| (report.period.kind, TopView::from(report)));
                Representation::json(&views.collect::<PeriodReports<TopView>>().into())
            }
        };
        Ok(response.settled(is_settled, if_none_match))
    }
}

/// Returns the owner whose revenue the user may read. Admins may read all; users only their own.
///
/// # Errors
/// Returns `other-user` if a user requests the revenue of another user.
fn owner_filter(identity: Identity, requested: Option<i64>) -> Result<Option<UserId>, ApiError> {
    let requested = requested.map(UserId);
    match identity.role {
        Role::Admin => Ok(requested),
        Role::User if requested.is_some_and(|id| id != identity.user_id) => Err(ApiError::new(
            Code::OtherUser,
            "ownerId is not the user of the access token; it can be omitted.",
        )),
        Role::User => Ok(Some(identity.user_id)),
    }
}

/// Returns the video after which a page begins.
///
/// # Errors
/// Returns the error of the parameter if the cursor belongs to another period.
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
        return Err(ApiError::field(cursor::NAME, "requires exactly one period"));
    };
    let period = kind.containing(date);
    if after.period != kind.name() || after.from != period.from.to_string() {
        return Err(ApiError::field(cursor::NAME, "belongs to another period"));
    }
    Ok(Some(VideoId(after.video_id)))
}

/// Returns the cursor of the next page.
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

/// Returns the names of the periods that have a next page, with the URLs of those pages.
fn next_links(
    reports: &[(RevenueReport, Option<String>)],
    date: NaiveDate,
    owner_id: Option<i64>,
    limit: u32,
    format: Format,
) -> Vec<(&'static str, String)> {
    let owner = owner_id.map(|id| format!("&ownerId={id}"));
    let owner = owner.unwrap_or_default();
    let format = match format {
        Format::Json => "",
        Format::Csv => "&format=csv",
    };
    let links = reports.iter().filter_map(|(report, next)| {
        let (kind, next) = (report.period.kind, next.as_ref()?);
        let url = format!(
            "/revenues?date={date}&period={kind}{owner}&limit={limit}{format}&cursor={next}"
        );
        Some((kind.name(), url))
    });
    links.collect()
}

#[OpenApi(tag = "Tag::Reports")]
impl ReportsApi {
    /// Read revenues
    ///
    /// Returns the revenue by video for the day, the week and the month that contain a date: a
    /// creator's own revenue, or that of all creators for an admin. Weeks and months are sums of
    /// settled days. If one period is requested, its report is returned alone, otherwise the
    /// reports are keyed by period. During the settlement of a day, the items of a week or month
    /// may include the day before the total does. A final report has an `ETag`.
    #[oai(path = "/revenues", method = "get", operation_id = "listRevenues")]
    #[expect(clippy::too_many_arguments, reason = "one for each query parameter")]
    async fn revenues(
        &self,
        user: User,
        /// A day within the periods. The default is the last day that is over.
        date: Query<Option<Day>>,
        /// The periods, separated by commas. The default is all three.
        #[oai(
            explode = false,
            default = "all_periods",
            validator(min_items = 1, max_items = 3, unique_items)
        )]
        period: Query<Vec<PeriodName>>,
        /// Return only the videos of this user. Users without the role ADMIN can read only their
        /// own.
        #[oai(name = "ownerId", validator(minimum(value = "1")))]
        owner_id: Query<Option<i64>>,
        /// The `next` of the previous page of the same period.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// The maximum number of videos per page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "1000"))
        )]
        limit: Query<u32>,
        /// The format of the report.
        #[oai(default = "default_format")]
        format: Query<Format>,
        /// The `ETag` of a report that the client has cached.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<Representation<RevenueResponse>, ErrorResponse<RevenueErrors>> {
        let owner = owner_filter(user.0, owner_id.0)?;
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
        let links = next_links(&reports, date, owner_id.0, limit, format.0);
        let response = match format.0 {
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
                Representation::json(&views.collect::<PeriodReports<RevenueView>>().into())
            }
        };
        Ok(response
            .next(links)
            .settled(is_settled, if_none_match.0.as_deref()))
    }

    /// List the most viewed videos
    ///
    /// Returns the five videos with the most counted views by day, week and month. Videos with
    /// equal counts are ordered by id. All users can read the lists.
    #[oai(
        path = "/top5/view-count",
        method = "get",
        operation_id = "listTopByViewCount"
    )]
    async fn top_by_view_count(
        &self,
        _user: User,
        /// A day within the periods. The default is the last day that is over.
        date: Query<Option<Day>>,
        /// The periods, separated by commas. The default is all three.
        #[oai(
            explode = false,
            default = "all_periods",
            validator(min_items = 1, max_items = 3, unique_items)
        )]
        period: Query<Vec<PeriodName>>,
        /// The format of the report.
        #[oai(default = "default_format")]
        format: Query<Format>,
        /// The `ETag` of a report that the client has cached.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<Representation<TopResponse>, ErrorResponse<TopErrors>> {
        let if_none_match = if_none_match.0.as_deref();
        Ok(self
            .top(TopBy::ViewCount, date.0, &period.0, format.0, if_none_match)
            .await?)
    }

    /// List the longest watched videos
    ///
    /// Returns the five videos with the most seconds watched by day, week and month. Videos with
    /// equal seconds are ordered by id. All users can read the lists.
    #[oai(
        path = "/top5/play-time",
        method = "get",
        operation_id = "listTopByPlayTime"
    )]
    async fn top_by_play_time(
        &self,
        _user: User,
        /// A day within the periods. The default is the last day that is over.
        date: Query<Option<Day>>,
        /// The periods, separated by commas. The default is all three.
        #[oai(
            explode = false,
            default = "all_periods",
            validator(min_items = 1, max_items = 3, unique_items)
        )]
        period: Query<Vec<PeriodName>>,
        /// The format of the report.
        #[oai(default = "default_format")]
        format: Query<Format>,
        /// The `ETag` of a report that the client has cached.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<Representation<TopResponse>, ErrorResponse<TopErrors>> {
        let if_none_match = if_none_match.0.as_deref();
        Ok(self
            .top(TopBy::PlayTime, date.0, &period.0, format.0, if_none_match)
            .await?)
    }
}
