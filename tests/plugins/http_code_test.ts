import httpCode from "../../plugins/http_code.ts";
import { assertStringIncludes } from "../support/assert.ts";
import { fakeTransaction, startPlugin } from "../../core/testing/views.ts";

const ROWS: readonly (readonly [string, number, string])[] = [
  ["code", 200, "200"],
  ["code", 499, "499"],
  ["code", 0, "none"],
  ["code", 999, "other"],
  ["class", 204, "2xx"],
  ["class", 503, "5xx"],
  ["class", 0, "none"],
];

for (const [detail, status, label] of ROWS) {
  Deno.test(`http-code counts ${status} as ${label} by ${detail}`, async () => {
    const plugin = await startPlugin(httpCode, { detail });
    plugin.handlers.transactionClose?.(fakeTransaction({ status }));
    assertStringIncludes(
      plugin.metrics(),
      `headrace_plugin_http_code_statuses_total{product="shop",cluster="api",status="${label}"} 1`,
    );
  });
}

Deno.test("http-code counts what never parsed", async () => {
  const plugin = await startPlugin(httpCode);
  plugin.handlers.transactionClose?.(
    fakeTransaction({ status: 400, request: null }),
  );
  assertStringIncludes(
    plugin.metrics(),
    '{product="",cluster="",status="400"} 1',
  );
});
