import { adminRoutes } from "../../../core/admin/app.ts";
import { renderPage } from "../../../core/admin/page.ts";
import type { AdminRoute } from "../../../core/admin/route.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";
import { fakeApp, FakeLog, FakeSource } from "./fake_source.ts";

Deno.test("/ lists every route, itself too, with a line each", async () => {
  const { app } = fakeApp();
  const answer = await app.request("/");
  assertEquals(answer.headers.get("content-type"), "text/html; charset=UTF-8");
  const lines = (await answer.text()).split("<tr>");
  for (const route of adminRoutes(new FakeSource(), new FakeLog())) {
    const line = lines.filter((line) =>
      line.includes(`>${route.path}<`) &&
      line.includes(`<td>${route.method}</td>`)
    );
    assertEquals(line.length, 1, route.path);
    assertStringIncludes(line[0]!, `<td>${route.does}</td>`);
  }
});

Deno.test("/ links what a browser can open and nothing else", async () => {
  const page = await text([
    route("GET", "/metrics"),
    route("POST", "/api/drain"),
    route("GET", "/session/:id"),
  ]);
  assertStringIncludes(page, '<a href="/metrics">');
  assert(!page.includes('href="/api/drain"'));
  assert(!page.includes('href="/session'));
});

Deno.test("/ escapes what the rows hold", async () => {
  const page = await text([
    { ...route("GET", `/"><script>`), does: "<b>&'\"" },
  ]);
  assert(!page.includes("<script"));
  assertStringIncludes(page, "&lt;b&gt;&amp;&#39;&quot;");
});

Deno.test("/ allows its own style by its hash", async () => {
  const { app } = fakeApp();
  const answer = await app.request("/");
  const style = /<style>([^]*)<\/style>/.exec(await answer.text())?.[1] ?? "";
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(style),
  );
  assertStringIncludes(
    answer.headers.get("content-security-policy") ?? "",
    `style-src 'sha256-${
      btoa(String.fromCharCode(...new Uint8Array(digest)))
    }'`,
  );
});

async function text(routes: readonly AdminRoute[]): Promise<string> {
  return String(await renderPage(routes));
}

function route(method: "GET" | "POST", path: string): AdminRoute {
  return { method, path, does: "something", handle: () => new Response() };
}
