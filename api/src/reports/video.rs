//! The operations of a video's reports, for its owner and for admins.

use crate::{
    auth::{token::Identity, user::User},
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::date::{self, Day},
    openapi::tag::Tag,
    reports::{
        representation::{Format, Representation, default_format},
        suppressed::VideoSuppressedView,
        video_days::VideoStatisticsView,
    },
};
use balance_domain::{accounts::Role, videos::VideoId};
use balance_service::{
    jobs::launcher::Launcher,
    reports::{Reports, video_csv},
    videos::Videos,
};
use chrono::{Days, NaiveDate};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

/// The maximum number of days of a video in one report: a leap year.
const MAX_DAYS: u64 = 366;
/// The default number of days of a video in one report.
const DEFAULT_DAYS: u64 = 31;

responses! {
    VideoReportErrors: 401 403 404;
}

pub(crate) struct VideoReportsApi {
    pub(crate) reports: Reports,
    pub(crate) videos: Videos,
    /// Determines the current day.
    pub(crate) launcher: Launcher,
}

impl VideoReportsApi {
    /// Returns the id of a video whose reports the user may read.
    async fn readable(
        &self,
        identity: Identity,
        id: i64,
        detail: &'static str,
    ) -> Result<VideoId, ApiError> {
        let video = self.videos.video(VideoId(id)).await?.video;
        if identity.role != Role::Admin && identity.user_id != video.owner_id {
            return Err(ApiError::new(Code::OtherUser, detail));
        }
        Ok(video.id)
    }
}

/// Returns the requested days, which end on `last` by default.
fn days(
    from: Option<Day>,
    to: Option<Day>,
    last: NaiveDate,
) -> Result<(NaiveDate, NaiveDate), ApiError> {
    let to = match to {
        Some(Day(to)) => date::check_business_day(to, "to")?,
        None => last,
    };
    let from = match from {
        Some(Day(from)) => date::check_business_day(from, "from")?,
        None => to
            .checked_sub_days(Days::new(DEFAULT_DAYS - 1))
            .unwrap_or(to),
    };
    if from > to {
        return Err(ApiError::field("from", "must not be after to"));
    }
    if from
        .checked_add_days(Days::new(MAX_DAYS - 1))
        .is_some_and(|last| last < to)
    {
        let reason = format!("must be at most {} days before to", MAX_DAYS - 1);
        return Err(ApiError::field("from", reason));
    }
    Ok((from, to))
}

#[OpenApi(prefix_path = "/videos", tag = "Tag::Reports")]
impl VideoReportsApi {
    /// Read the statistics of a video
    ///
    /// Returns the views and the revenue of a video on each settled day. Only the owner of the
    /// video and admins can read them.
    #[oai(
        path = "/:id/statistics",
        method = "get",
        operation_id = "getVideoStatistics"
    )]
    async fn statistics(
        &self,
        user: User,
        /// The video's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The first day, at most 365 days before the last one. The default is 30 days before it.
        from: Query<Option<Day>>,
        /// The last day. The default is the last day that is over.
        to: Query<Option<Day>>,
        /// The format of the report.
        #[oai(default = "default_format")]
        format: Query<Format>,
        /// The `ETag` of a report that the client has cached.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<Representation<VideoStatisticsView>, ErrorResponse<VideoReportErrors>> {
        let detail = "Only the owner of the video and admins can read its statistics.";
        let id = self.readable(user.0, id.0, detail).await?;
        let (from, to) = days(from.0, to.0, self.launcher.last_day_over()?)?;
        let report = self.reports.video(id, from, to).await?;
        let is_settled = report.settled_through.is_some_and(|through| through >= to);
        let response = match format.0 {
            Format::Csv => {
                let mut text = Vec::new();
                video_csv(id, &report, &mut text).map_err(ApiError::internal)?;
                Representation::csv(text)
            }
            Format::Json => {
                let view = VideoStatisticsView::of(id, (from, to), &report);
                Representation::json(&view)
            }
        };
        Ok(response.settled(is_settled, if_none_match.0.as_deref()))
    }

    /// Read what was suppressed of a video
    ///
    /// Returns what was counted and what was not, by reason, on each day with plays or pauses. Only the
    /// owner of the video and admins can read it. In a fleet, the counts of a day arrive within seconds.
    #[oai(
        path = "/:id/suppressed",
        method = "get",
        operation_id = "getVideoSuppressed"
    )]
    async fn suppressed(
        &self,
        user: User,
        /// The video's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The first day, at most 365 days before the last one. The default is 30 days before it.
        from: Query<Option<Day>>,
        /// The last day. The default is the current day.
        to: Query<Option<Day>>,
    ) -> Result<Json<VideoSuppressedView>, ErrorResponse<VideoReportErrors>> {
        let detail = "Only the owner of the video and admins can read what was suppressed.";
        let id = self.readable(user.0, id.0, detail).await?;
        let over = self.launcher.last_day_over()?;
        let range = days(from.0, to.0, over.succ_opt().unwrap_or(over))?;
        let received = self.reports.received(id, range).await?;
        Ok(Json(VideoSuppressedView::of(id, range, received)))
    }
}
