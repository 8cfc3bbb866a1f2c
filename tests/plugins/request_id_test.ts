import requestId from "../../plugins/request_id.ts";
import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  fakeRequest,
  fakeResponse,
  startPlugin,
} from "../../core/testing/views.ts";

/** The id that the backend gets. */
async function idFor(
  options: Readonly<Record<string, unknown>>,
  header: string | undefined,
  trusted: boolean,
): Promise<string | null> {
  const { handlers } = await startPlugin(requestId, options);
  const request = fakeRequest({
    trusted,
    headers: header === undefined ? {} : { "x-request-id": header },
  });
  handlers.foundProduct?.(request);
  return request.headers.get("x-request-id");
}

const KEPT: readonly (readonly [string, string, boolean])[] = [
  ["trusted", "a-1", true],
  ["always", "a-1", false],
  ["always", "x".repeat(128), false],
];
for (const [accept, id, trusted] of KEPT) {
  Deno.test(`request-id keeps ${id.slice(0, 9)} by ${accept}`, async () => {
    assertEquals(await idFor({ accept }, id, trusted), id);
  });
}

const REPLACED: readonly (readonly [string, string | undefined, boolean])[] = [
  ["trusted", "a-1", false],
  ["never", "a-1", true],
  ["always", undefined, true],
  ["always", "x".repeat(129), true],
  ["always", 'a" 200 -', true],
  ["always", "a, b", true],
];
for (const [accept, id, trusted] of REPLACED) {
  Deno.test(`request-id replaces ${id?.slice(0, 9)} by ${accept}`, async () => {
    assertEquals(await idFor({ accept }, id, trusted), "t1");
  });
}

Deno.test("request-id tells client, backend and log the same, and counts", async () => {
  const plugin = await startPlugin(requestId, { format: "uuid" });
  const request = fakeRequest();
  plugin.handlers.foundProduct?.(request);
  const response = fakeResponse({ headers: { "x-request-id": "backend's" } });
  plugin.handlers.sendResponseHeader?.(request, response);
  const id = request.headers.get("x-request-id")!;

  assertMatch(id, /^[0-9a-f-]{36}$/);
  assertEquals(response.headers.getAll("x-request-id"), [id]);
  assertEquals(
    request.transaction.data.get(Symbol.for("headrace.request-id")),
    id,
  );
  assertStringIncludes(
    plugin.metrics(),
    'headrace_plugin_request_id_ids_total{from="made"} 1',
  );
});

Deno.test("request-id leaves responses to what never parsed alone", async () => {
  const { handlers } = await startPlugin(requestId);
  const response = fakeResponse({ status: 400 });
  handlers.sendResponseHeader?.(undefined, response);
  assertEquals([...response.headers], []);
});
