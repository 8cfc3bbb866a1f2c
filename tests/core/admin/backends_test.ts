/**
 * The admin routes of backends.
 *
 * @module
 */
import type { BackendChange } from "../../../core/supervisor/backends.ts";
import { assertEquals } from "../../support/assert.ts";
import { fakeApp, REPORT } from "./fake_source.ts";

const [A1] = REPORT.backends;

function patch(body: string): RequestInit {
  return { method: "PATCH", body };
}

Deno.test("/api/backends/:id tells one backend, 404 for an unknown one", async () => {
  const { app } = fakeApp();
  const answer = await app.request("/api/backends/a1");
  assertEquals([answer.status, await answer.json()], [200, { backend: A1 }]);
  const missing = await app.request("/api/backends/a%2F1");
  assertEquals([missing.status, await missing.json()], [404, {
    error: 'No backend of the config has this id: "a/1"',
  }]);
});

for (
  const [body, change] of [
    ['{"state":"drain"}', { state: "drain", weight: undefined }],
    ['{"weight":0}', { state: undefined, weight: 0 }],
    ['{"weight":10000}', { state: undefined, weight: 10_000 }],
    ['{"weight":null}', { state: undefined, weight: null }],
    ['{"state":"ready","weight":3}', { state: "ready", weight: 3 }],
  ] as const satisfies readonly (readonly [string, BackendChange])[]
) {
  Deno.test(`PATCH /api/backends/:id takes ${body}`, async () => {
    const { app, source } = fakeApp();
    const answer = await app.request("/api/backends/a1", patch(body));
    assertEquals([answer.status, await answer.json()], [200, { backend: A1 }]);
    assertEquals(source.changes, [["a1", change]]);
  });
}

for (
  const [body, error] of [
    ["", "Cannot read the body as JSON: "],
    ["{state: drain}", "Cannot read the body as JSON: "],
    ["[]", "Cannot change the backend as the body must be an object"],
    ["null", "Cannot change the backend as the body must be an object"],
    ["{}", "Cannot change the backend as state or weight must be given"],
    [
      '{"state":"ready","wieght":1}',
      'Cannot change the backend as only state and weight can be set: current key is "wieght"',
    ],
    [
      '{"state":"down"}',
      'Cannot set the state as it must be one of ready, disabled, drain, maintenance: current value is "down"',
    ],
    [
      '{"state":null}',
      "Cannot set the state as it must be one of ready, disabled, drain, maintenance: current value is null",
    ],
    ...["-1", "10001", "1.5", '"1"', "true"].map((weight) =>
      [
        `{"weight":${weight}}`,
        `Cannot set the weight as it must be null or a whole number from 0 to 10000: current value is ${weight}`,
      ] as const
    ),
  ] as const
) {
  Deno.test(`PATCH /api/backends/:id refuses ${body || "an empty body"}`, async () => {
    const { app, source } = fakeApp();
    const answer = await app.request("/api/backends/a1", patch(body));
    const said = (await answer.json()).error;
    assertEquals([answer.status, said.slice(0, error.length)], [400, error]);
    assertEquals(source.changes, []);
  });
}

Deno.test("PATCH /api/backends/:id answers 404 for an unknown backend, ids are decoded", async () => {
  const { app, source } = fakeApp();
  const answer = await app.request(
    "/api/backends/unix%3A%2Frun%2Fapp.sock",
    patch('{"weight":1}'),
  );
  assertEquals(answer.status, 404);
  await answer.body?.cancel();
  assertEquals(source.changes.map(([id]) => id), ["unix:/run/app.sock"]);
});

Deno.test("POST /api/backends/:id/reset tells whether there was anything to do", async () => {
  const { app } = fakeApp();
  const post = { method: "POST" };
  const answer = await app.request("/api/backends/a1/reset", post);
  assertEquals([answer.status, await answer.json()], [200, {
    reset: true,
    backend: A1,
  }]);
  const missing = await app.request("/api/backends/b1/reset", post);
  assertEquals(missing.status, 404);
  await missing.body?.cancel();
});

Deno.test("other methods on a backend are told what would be right", async () => {
  const { app } = fakeApp();
  const answer = await app.request("/api/backends/a1", { method: "DELETE" });
  assertEquals([answer.status, answer.headers.get("allow")], [
    405,
    "GET, HEAD, PATCH",
  ]);
  await answer.body?.cancel();
});
