"""Uses the client that openapi-python-client generates: two users, a video, a play, a pause, reports.

The arguments are the address of the server and a settled day. The program prints the result for the
test."""

import datetime
import json
import sys

from balance_client import AuthenticatedClient, Client
from balance_client.api.accounts import join, login
from balance_client.api.playback import pause_video, play_video
from balance_client.api.reports import (
    get_video_statistics,
    get_video_suppressed,
    list_revenues,
    list_top_by_view_count,
)
from balance_client.api.videos import register_video
from balance_client.models import (
    Account,
    ByPeriodPeriodTop,
    Credentials,
    NewVideo,
    PeriodKind,
    PeriodRevenue,
    PeriodTop,
    Problem,
    TokenPair,
    Video,
    VideoStatistics,
    VideoSuppressed,
)


def expect(answer, status, kind):
    """Asserts the status and the type of a response, and returns its content."""
    assert answer.status_code == status, answer
    assert isinstance(answer.parsed, kind), answer
    return answer.parsed


def person(anyone, username):
    credentials = Credentials(username=username, password="correct horse")
    joined = expect(join.sync_detailed(client=anyone, body=credentials), 201, Account)
    tokens = expect(login.sync_detailed(client=anyone, body=credentials), 200, TokenPair)
    api = AuthenticatedClient(base, token=tokens.access_token, raise_on_unexpected_status=True)
    return joined.user_id, api


base, date = sys.argv[1], datetime.date.fromisoformat(sys.argv[2])
anyone = Client(base, raise_on_unexpected_status=True)
creator_id, creator = person(anyone, "sora")
_, viewer = person(anyone, "haneul")

taken = Credentials(username="sora", password="correct horse")
rejected = expect(join.sync_detailed(client=anyone, body=taken), 409, Problem)
assert rejected.code == "username-taken", rejected

new = NewVideo(title="How to sharpen a pencil", duration=90)
registered = register_video.sync_detailed(client=creator, body=new, idempotency_key="python-1")
video = expect(registered, 201, Video)
assert video.owner_id == creator_id, video

played = play_video.sync_detailed(video.video_id, client=viewer, accept_language="en")
assert expect(played, 200, str) == "Playing the video from the beginning.", played
assert played.headers["X-View-Counted"] == "true", played

paused = pause_video.sync_detailed(video.video_id, client=viewer, current_played_at=3)
expect(paused, 200, str)
assert paused.headers["X-Credited-Seconds"] == "3", paused

again = play_video.sync_detailed(video.video_id, client=viewer)
assert expect(again, 429, Problem).code == "repeated-view", again
assert int(again.headers["Retry-After"]) > 0, again

answer = list_revenues.sync_detailed(client=creator, date=date, period=[PeriodKind.MONTH])
revenues = expect(answer, 200, PeriodRevenue)
assert revenues.items == [] and revenues.total.total_revenue == "0.00", revenues

answer = list_top_by_view_count.sync_detailed(client=viewer, date=date)
month = expect(answer, 200, ByPeriodPeriodTop).month
assert isinstance(month, PeriodTop), answer

answer = get_video_statistics.sync_detailed(video.video_id, client=creator, to=date)
assert expect(answer, 200, VideoStatistics).total.day_count == 0, answer

answer = get_video_suppressed.sync_detailed(video.video_id, client=creator, to=date)
assert expect(answer, 200, VideoSuppressed).items == [], answer

print(json.dumps([item.video_id for item in month.items], separators=(",", ":")))
