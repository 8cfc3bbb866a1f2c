import errors from "../../plugins/errors.ts";
import type { HttpRequest } from "../../core/plugin.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  checkOptions,
  fakeRequest,
  fakeResponse,
  OptionsError,
  startPlugin,
} from "../../core/testing/views.ts";

type Page = Readonly<Record<string, unknown>>;

const HTML = { statuses: ["404"], body: "<b>%{header:x-name}</b>" };
const JSON_PAGE = {
  statuses: ["400-599"],
  type: "application/json",
  body: '{"name":"%{header:x-name}","status":%{status}}',
};

/** What is sent instead; undefined where the response stays. */
async function paged(
  pages: readonly Page[],
  response: Parameters<typeof fakeResponse>[0],
  headers: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, unknown>> = {},
) {
  const plugin = await startPlugin(errors, { pages, ...more });
  const verdict = await plugin.handlers.readResponse?.(
    fakeRequest({ headers }),
    fakeResponse({ from: "proxy", ...response }),
  );
  await plugin.close();
  if (verdict === undefined) return undefined;
  assert(verdict.kind === "respond" && !(verdict.response instanceof Response));
  const { status, body, headers: fields } = verdict.response;
  return {
    status,
    body,
    headers: new Headers([...fields as Iterable<[string, string]>]),
  };
}

Deno.test("errors sends the page of the type that the client wants", async () => {
  const pages = [HTML, JSON_PAGE];
  const rows: readonly (readonly [string | undefined, string | undefined])[] = [
    [undefined, "text/html; charset=utf-8"],
    ["*/*", "text/html; charset=utf-8"],
    ["application/json", "application/json"],
    ["text/html;q=0.5, application/*", "application/json"],
    ["text/html;q=0, */*", "application/json"],
    ["image/png", undefined],
  ];
  for (const [accept, type] of rows) {
    const page = await paged(
      pages,
      { status: 404 },
      accept === undefined ? {} : { accept },
    );
    assertEquals(page?.headers.get("content-type"), type, accept);
  }
});

Deno.test("errors escapes what a client chose", async () => {
  const headers = { "x-name": `<script>"'&` };
  const html = await paged([HTML], { status: 404 }, headers);
  assertEquals(html?.body, "<b>&lt;script&gt;&quot;&#39;&amp;</b>");
  const capitals = { ...HTML, type: "Text/HTML" };
  const shouted = await paged([capitals], { status: 404 }, headers);
  assertEquals(shouted?.body, html?.body);
  assertEquals(
    shouted?.headers.get("content-type"),
    "text/html; charset=utf-8",
  );
  const json = await paged([JSON_PAGE], { status: 404 }, headers);
  assertEquals(JSON.parse(`${json?.body}`), {
    name: headers["x-name"],
    status: 404,
  });
});

Deno.test("errors keeps fields but those of the body", async () => {
  const page = await paged([{ ...HTML, statuses: ["401"] }], {
    status: 401,
    from: "handler",
    headers: {
      "www-authenticate": "Basic",
      "content-encoding": "gzip",
      "content-disposition": "attachment",
      "content-security-policy": "default-src 'none'",
      "content-security-policy-report-only": "img-src 'self'",
      etag: '"1"',
      vary: "Origin",
    },
  });
  assertEquals([...page!.headers.keys()], [
    "content-security-policy",
    "content-security-policy-report-only",
    "content-type",
    "vary",
    "www-authenticate",
  ]);
  assertEquals(page?.headers.get("vary"), "Origin, Accept");
});

const STAYS: readonly (readonly [
  string,
  Page,
  Parameters<typeof fakeResponse>[0],
])[] = [
  ["a backend's error", HTML, { status: 404, from: "backend" }],
  ["one that is cached", HTML, { status: 404, from: "cache" }],
  ["another status", HTML, { status: 403 }],
  ["what is no error", HTML, { status: 200 }],
  ["another product's", { ...HTML, products: ["blog"] }, { status: 404 }],
  ["what the condition spares", {
    ...HTML,
    when: 'res_header_key_in("X-Page")',
  }, { status: 404 }],
];
for (const [what, page, response] of STAYS) {
  Deno.test(`errors leaves ${what}`, async () => {
    assertEquals(await paged([page], response), undefined);
  });
}

Deno.test("errors replaces a backend's where told so, with another status, out of the cache too", async () => {
  for (const from of ["backend", "cache"] as const) {
    const page = await paged(
      [{ ...HTML, status: 410 }],
      { status: 404, from },
      {},
      { from: ["backend"] },
    );
    assertEquals(page?.status, 410, from);
  }
});

Deno.test("errors rereads a page's file when it changes", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "one");
    const plugin = await startPlugin(errors, {
      pages: [{ statuses: ["404"], file }],
    });
    const ask = async (request: HttpRequest) => {
      const verdict = await plugin.handlers.readResponse?.(
        request,
        fakeResponse({ status: 404, from: "proxy" }),
      );
      assert(verdict?.kind === "respond");
      return verdict.response.body;
    };
    assertEquals(await ask(fakeRequest()), "one");
    await Deno.writeTextFile(file, "%{broken");
    plugin.clock.advance(2_000);
    await until(() => plugin.log.records.length === 1);
    assertEquals(plugin.log.records[0]?.level, "error");
    assertEquals(await ask(fakeRequest()), "one");
    await Deno.writeTextFile(file, "three!");
    await until(() => {
      plugin.clock.advance(2_000);
      return plugin.log.records.length === 2;
    });
    assertEquals(await ask(fakeRequest()), "three!");
    assertStringIncludes(plugin.metrics(), 'pages_total{status="404"} 3');
    await plugin.close();
    assertEquals(plugin.clock.pending, 0);
  } finally {
    await Deno.remove(file);
  }
});

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const REFUSED: readonly (readonly [Page, string])[] = [
  [{ statuses: ["404"] }, "Expected either body or file"],
  [{ statuses: ["404"], body: "a", file: "b" }, "either body or file"],
  [{ statuses: ["200"], body: "" }, "pages.0.statuses.0"],
  [{ statuses: ["404"], body: "%{x}" }, "pages.0.body: Unknown variable"],
];
for (const [page, text] of REFUSED) {
  Deno.test(`errors refuses ${JSON.stringify(page)}`, async () => {
    const error = await assertRejects(
      () => checkOptions(errors, { pages: [page] }),
      OptionsError,
    );
    assertStringIncludes(error.message, text);
  });
}

Deno.test("errors is not set up without its file", async () => {
  const error = await assertRejects(() =>
    startPlugin(errors, { pages: [{ statuses: ["404"], file: "/none.html" }] })
  );
  assertStringIncludes(`${error}`, 'Cannot use "/none.html"');
});
