//! The resources of the API, in the order of the OpenAPI document.

use crate::{
    accounts::resource::AccountsApi,
    events::EventsApi,
    jobs::{control::JobControlApi, resource::JobsApi},
    operations::{
        health::{HealthApi, LivenessApi},
        metrics::MetricsApi,
        resource::OperationsApi,
    },
    play_rules::PlayRulesApi,
    playback::PlaybackApi,
    rates::RatesApi,
    reports::{resource::ReportsApi, video::VideoReportsApi},
    videos::{ads::AdsApi, resource::VideosApi},
};

/// All resources of `balance api`.
pub(crate) type Resources = (
    AccountsApi,
    VideosApi,
    PlaybackApi,
    ReportsApi,
    VideoReportsApi,
    AdsApi,
    JobsApi,
    JobControlApi,
    RatesApi,
    PlayRulesApi,
    OperationsApi,
    EventsApi,
    MetricsApi,
    LivenessApi,
    HealthApi,
);
