// Uses the types that openapi-typescript generates: two users, a video, a play, a pause, and reports.
// The arguments are the address of the server and a settled day. The program prints the result for
// the test.

import { deepStrictEqual as same, ok } from "node:assert";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];

const [base = "", date = ""] = process.argv.slice(2);
ok(base && date, "an address and a day are needed");

/** Asserts the status of a response, and returns its data. */
function expect<T>(answer: { data?: T; error?: Problem; response: Response }, status: number): T {
    same(answer.response.status, status, JSON.stringify(answer.error));
    ok(answer.data !== undefined);
    return answer.data;
}

const anonymous = createClient<paths>({ baseUrl: base });

async function person(username: string) {
    const credentials = { username, password: "correct horse" };
    const joined = expect(await anonymous.POST("/join", { body: credentials }), 201);
    const tokens = expect(await anonymous.POST("/login", { body: credentials }), 200);
    const headers = { Authorization: `Bearer ${tokens.accessToken}` };
    return { userId: joined.userId, api: createClient<paths>({ baseUrl: base, headers }) };
}

const creator = await person("sora");
const viewer = await person("haneul");

const rejected = await anonymous.POST("/join", { body: { username: "sora", password: "correct horse" } });
same(rejected.error?.code, "username-taken");

const registered = await creator.api.POST("/videos", {
    params: { header: { "Idempotency-Key": "typescript-1" } },
    body: { title: "How to sharpen a pencil", duration: 90 },
});
const video = expect(registered, 201);
same(video.ownerId, creator.userId);

const path = { id: video.videoId };
const played = await viewer.api.POST("/videos/{id}/play", {
    params: { path, header: { "Accept-Language": "en" } },
});
same(expect(played, 200), "Playing the video from the beginning.");
same(played.response.headers.get("X-View-Counted"), "true");

const paused = await viewer.api.POST("/videos/{id}/pause", {
    params: { path, query: { currentPlayedAt: 3 } },
});
expect(paused, 200);
same(paused.response.headers.get("X-Credited-Seconds"), "3");

const again = await viewer.api.POST("/videos/{id}/play", { params: { path } });
same(again.error?.code, "repeated-view");
ok(Number(again.response.headers.get("Retry-After")) > 0);

const revenues = expect(
    await creator.api.GET("/revenues", { params: { query: { date, period: ["month"] } } }),
    200,
);
ok(typeof revenues !== "string" && "items" in revenues, "one period is answered as it is");
same(revenues.items, []);
same(revenues.total.totalRevenue, "0.00");

const top = expect(await viewer.api.GET("/top5/view-count", { params: { query: { date } } }), 200);
ok(typeof top !== "string" && !("items" in top), "several periods are answered by their names");
const month: components["schemas"]["PeriodTop"] | undefined = top.month;
ok(month);

const statistics = expect(
    await creator.api.GET("/videos/{id}/statistics", { params: { path, query: { to: date } } }),
    200,
);
ok(typeof statistics !== "string");
same(statistics.total.dayCount, 0);

const suppressed = expect(
    await creator.api.GET("/videos/{id}/suppressed", { params: { path, query: { to: date } } }),
    200,
);
same(suppressed.items, []);

console.log(JSON.stringify(month.items.map((item) => item.videoId)));
