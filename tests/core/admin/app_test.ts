import { adminRoutes } from "../../../core/admin/app.ts";
import type { AdminRoute } from "../../../core/admin/route.ts";
import { RefusedError } from "../../../core/data_plane/control.ts";
import { VERSION } from "../../../core/version.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../support/assert.ts";
import { fakeApp, FakeLog, FakeSource, REPORT } from "./fake_source.ts";

const POST = { method: "POST" };

Deno.test("/healthz is 200 in every state", async () => {
  const { app, source } = fakeApp();
  for (const state of ["starting", "ready", "draining", "stopped"] as const) {
    source.state = state;
    const answer = await app.request("/healthz");
    assertEquals(answer.status, 200);
    assertEquals(await answer.json(), { alive: true });
  }
});

Deno.test("/readyz is 200 when ready and else 503 with the state and why", async () => {
  const { app, source } = fakeApp();
  const ready = await app.request("/readyz");
  assertEquals(ready.status, 200);
  assertEquals((await ready.json()).ready, true);
  for (const state of ["starting", "draining", "stopped"] as const) {
    source.state = state;
    const answer = await app.request("/readyz");
    assertEquals(answer.status, 503);
    const body = await answer.json();
    assertEquals([body.ready, body.state], [false, state]);
    assertMatch(body.reason, /^[A-Z].+/);
  }
});

Deno.test("/metrics is Prometheus' text with its content type", async () => {
  const { app } = fakeApp();
  const answer = await app.request("/metrics");
  assertEquals(answer.status, 200);
  assertEquals(
    answer.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  assertStringIncludes(await answer.text(), "\nheadrace_sessions_open 3\n");
});

for (const part of ["plugins", "backends", "listeners"] as const) {
  Deno.test(`/api/${part} lists what the report holds, without sessions`, async () => {
    const { app, source } = fakeApp();
    const answer = await app.request(`/api/${part}`);
    assertEquals(answer.status, 200);
    assertEquals(answer.headers.get("content-type"), "application/json");
    assertEquals(await answer.json(), { [part]: REPORT[part] });
    assertEquals(source.limits, [0]);
  });
}

Deno.test("/api/status tells version, state, revision, workers, sessions, refusal", async () => {
  const { app, source } = fakeApp();
  const status = async () => await (await app.request("/api/status")).json();
  assertEquals(await status(), {
    version: VERSION,
    state: "ready",
    revision: 1,
    workers: 2,
    sessionsOpen: 3,
    lastRefusal: null,
  });
  source.lastRefusal = ["proxy.yaml:3: unknown key"];
  assertEquals((await status()).lastRefusal, ["proxy.yaml:3: unknown key"]);
});

Deno.test("/api/sessions asks for 100 sessions and tells how many are open", async () => {
  const { app, source } = fakeApp();
  const body = await (await app.request("/api/sessions")).json();
  assertEquals(source.limits, [100]);
  assertEquals(body.sessionsOpen, 3);
  assertEquals(body.sessions.length, 3);
  assertEquals(body.sessions[0].id, "s0");
  assertEquals(body.sessions[0].backend, null);
});

Deno.test("/api/sessions takes a limit from 0 to 10000", async () => {
  const { app, source } = fakeApp();
  for (const limit of [0, 1, 10_000]) {
    const answer = await app.request(`/api/sessions?limit=${limit}`);
    assertEquals(answer.status, 200);
    await answer.body?.cancel();
  }
  assertEquals(source.limits, [0, 1, 10_000]);
});

for (const limit of ["", "-1", "1.5", "10001", "1e3", "abc", "%20%201"]) {
  Deno.test(`/api/sessions refuses limit=${limit} without asking for a report`, async () => {
    const { app, source } = fakeApp();
    const answer = await app.request(`/api/sessions?limit=${limit}`);
    assertEquals(answer.status, 400);
    assertEquals(await answer.json(), {
      error:
        `Cannot take limit as it must be a whole number from 0 to 10000: current value is ${
          JSON.stringify(decodeURIComponent(limit))
        }`,
    });
    assertEquals(source.limits, []);
  });
}

Deno.test("/api/reload answers the new revision", async () => {
  const { app } = fakeApp();
  const answer = await app.request("/api/reload", POST);
  assertEquals(answer.status, 200);
  assertEquals(await answer.json(), { revision: 2 });
});

Deno.test("/api/reload answers 422 with every problem of a refused config", async () => {
  const { app, source } = fakeApp();
  const problems = ["proxy.yaml:1: one", "proxy.yaml:2: two"];
  source.reloadFailure = new RefusedError(problems);
  const answer = await app.request("/api/reload", POST);
  assertEquals(answer.status, 422);
  assertEquals(await answer.json(), { problems });
});

Deno.test("/api/reload answers 500 and logs where the failure is no refusal", async () => {
  const { app, source, log } = fakeApp();
  source.reloadFailure = new Error("Worker 1 is lost");
  const answer = await app.request("/api/reload", POST);
  assertEquals(answer.status, 500);
  assertEquals(await answer.json(), { error: "Worker 1 is lost" });
  assertEquals(answer.headers.get("x-content-type-options"), "nosniff");
  assertEquals(log.lines, [
    "error An admin request failed (Error: Worker 1 is lost)",
  ]);
});

Deno.test("/api/reload answers 409 where the proxy is not ready", async () => {
  const { app, source } = fakeApp();
  source.state = "draining";
  const answer = await app.request("/api/reload", POST);
  assertEquals(answer.status, 409);
  assertStringIncludes((await answer.json()).error, "draining");
});

Deno.test("/api/drain answers 202 before the sessions have ended, also the second time", async () => {
  const { app, source } = fakeApp();
  for (let i = 0; i < 2; i++) {
    const answer = await app.request("/api/drain", POST);
    assertEquals(answer.status, 202);
    assertEquals(await answer.json(), { state: "draining" });
  }
  assertEquals(source.state, "draining");
});

Deno.test("/api/drain logs a drain that fails", async () => {
  const { app, source, log } = fakeApp();
  source.drainFailure = new Error("Worker 1 is lost");
  const answer = await app.request("/api/drain", POST);
  assertEquals(answer.status, 202);
  await answer.body?.cancel();
  assertEquals(
    log.lines.at(-1),
    "error The drain failed (Error: Worker 1 is lost)",
  );
});

Deno.test("/api/drain answers 409 while starting", async () => {
  const { app, source } = fakeApp();
  source.state = "starting";
  const answer = await app.request("/api/drain", POST);
  assertEquals(answer.status, 409);
  await answer.body?.cancel();
  assertEquals(source.state, "starting");
});

const ROUTES = adminRoutes(new FakeSource(), new FakeLog());

/** A body for the routes that want one. */
const BODIES: Readonly<Record<string, string>> = {
  "PATCH /api/backends/:id": '{"weight":1}',
  "POST /api/clusters/:name/backends": '{"url":"http://10.0.0.2:1"}',
  "POST /api/explain": '{"url":"http://a/"}',
  "POST /api/cache/purge": '{"all":true}',
  "POST /backend/add": '{"url":"ws://10.0.0.2:1"}',
};

/** A request that the route takes. */
function requestFor({ path, method }: AdminRoute): [string, RequestInit] {
  const name = path.startsWith("/api/listeners") ? "web" : "api";
  const id = path.startsWith("/api/websockets") ? "w1" : "a1";
  const body = BODIES[`${method} ${path}`] ?? null;
  const query = method === "GET" && path === "/api/explain"
    ? "?url=http://a/"
    : "";
  const target = path.replace(":name", name).replace(":id", id);
  return [target + query, { method, body }];
}

for (const route of ROUTES) {
  Deno.test(`${route.path} takes ${route.method}, others are told what would be right`, async () => {
    const { app } = fakeApp();
    const right = await app.request(...requestFor(route));
    assert(right.status < 400);
    await right.body?.cancel();
    // These say in their own words what is right.
    if (route.anyMethod === true) return;
    const allowed = ROUTES.filter(({ path }) => path === route.path)
      .flatMap(({ method }) => method === "GET" ? ["GET", "HEAD"] : method);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      if (allowed.includes(method)) continue;
      const [path] = requestFor(route);
      const wrong = await app.request(path, { method });
      assertEquals(wrong.status, 405);
      assertEquals(wrong.headers.get("allow"), allowed.join(", "));
      assertStringIncludes((await wrong.json()).error, method);
    }
  });

  Deno.test(`${route.method} ${route.path} carries the security headers`, async () => {
    const { app } = fakeApp();
    const answer = await app.request(...requestFor(route));
    await answer.body?.cancel();
    assertSealed(answer);
  });
}

Deno.test("HEAD has GET's status and headers, Content-Length of its body, no body", async () => {
  const { app } = fakeApp();
  for (const path of ["/", "/healthz", "/metrics", "/api/status"]) {
    const get = await app.request(path);
    const head = await app.request(path, { method: "HEAD" });
    assertEquals(head.status, get.status);
    const bytes = (await get.arrayBuffer()).byteLength;
    assertEquals(head.headers.get("content-length"), String(bytes));
    assertEquals(
      head.headers.get("content-type"),
      get.headers.get("content-type"),
    );
    assertEquals(await head.text(), "");
  }
});

Deno.test("HEAD of a route that only takes POST is 405", async () => {
  const { app, source } = fakeApp();
  const answer = await app.request("/api/drain", { method: "HEAD" });
  assertEquals(answer.status, 405);
  assertEquals(source.state, "ready");
});

Deno.test("An unknown path is 404 in JSON with the security headers", async () => {
  const { app } = fakeApp();
  for (const path of ["/nope", "/api", "/healthz/", "/api/sessions/x"]) {
    const answer = await app.request(path);
    assertEquals(answer.status, 404);
    assertEquals(await answer.json(), {
      error: `No admin route has this path: ${path}`,
    });
    assertSealed(answer);
  }
});

function assertSealed({ headers }: Response): void {
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  assertEquals(headers.get("cache-control"), "no-store");
  assertEquals(headers.get("referrer-policy"), "no-referrer");
  const policy = headers.get("content-security-policy") ?? "";
  assertStringIncludes(policy, "default-src 'none'");
  assertStringIncludes(policy, "frame-ancestors 'none'");
}
