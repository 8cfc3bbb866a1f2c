import { createHmac } from "node:crypto";
import secureLink from "../../plugins/secure_link.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import {
  fakeRequest,
  type RequestFacts,
  startPlugin,
} from "../../core/testing/views.ts";

const SECRET = "a secret of a maker of links";
/** Of the fake clock: 1 700 000 001. */
const LATER = 1_700_000_060;

function sign(text: string, secret = SECRET): string {
  return createHmac("sha256", secret).update(text).digest("base64url");
}

const GOOD = sign(`GET\n${LATER}\n/f/a%20b\n`);
const GOOD_QUERY = sign(`GET\n${LATER}\n/f\na=1&b=2`);

const ROWS: readonly (readonly [string, RequestFacts, number])[] = [
  ["a good link", { target: `/f/a%20b?expires=${LATER}&signature=${GOOD}` }, 0],
  ["the same for HEAD", {
    method: "HEAD",
    target: `/f/a%20b?signature=${GOOD}&expires=${LATER}`,
  }, 0],
  ["a query in order", {
    target: `/f?a=1&expires=${LATER}&b=2&signature=${GOOD_QUERY}`,
  }, 0],
  ["a query out of order", {
    target: `/f?b=2&a=1&expires=${LATER}&signature=${GOOD_QUERY}`,
  }, 403],
  ["a parameter more", {
    target: `/f?a=1&b=2&c&expires=${LATER}&signature=${GOOD_QUERY}`,
  }, 403],
  ["another method", {
    method: "DELETE",
    target: `/f/a%20b?expires=${LATER}&signature=${GOOD}`,
  }, 403],
  ["another spelling of the path", {
    target: `/f/%61%20b?expires=${LATER}&signature=${GOOD}`,
  }, 403],
  ["a later end", {
    target: `/f/a%20b?expires=${LATER + 1}&signature=${GOOD}`,
  }, 403],
  ["an end that is over", {
    target: `/?expires=1700000001&signature=${sign("GET\n1700000001\n/\n")}`,
  }, 410],
  ["no signature", { target: `/f/a%20b?expires=${LATER}` }, 403],
  ["an empty one", { target: `/f/a%20b?expires=${LATER}&signature=` }, 403],
  ["a short one", {
    target: `/f/a%20b?expires=${LATER}&signature=${GOOD.slice(0, 8)}`,
  }, 403],
  ["two signatures", {
    target: `/f/a%20b?expires=${LATER}&signature=${GOOD}&signature=${GOOD}`,
  }, 403],
  ["an end that is no number", {
    target: `/f/a%20b?expires=1e12&signature=${GOOD}`,
  }, 403],
  ["a line feed in the end", {
    target: `/f?expires=${LATER}%0a&signature=${GOOD}`,
  }, 403],
];

for (const [what, facts, status] of ROWS) {
  Deno.test(`secure-link: ${what} is ${status || "let in"}`, async () => {
    const { handlers } = await startPlugin(secureLink, { secrets: [SECRET] });
    const verdict = await handlers.foundProduct?.(fakeRequest(facts));
    assertEquals(
      verdict?.kind === "respond" ? verdict.response.status : 0,
      status,
    );
  });
}

Deno.test("secure-link takes its parameters away, and counts", async () => {
  const plugin = await startPlugin(secureLink, { secrets: [SECRET] });
  const request = fakeRequest({
    target: `/f?a=1&expires=${LATER}&b=2&signature=${GOOD_QUERY}`,
  });
  await plugin.handlers.foundProduct?.(request);
  assertEquals(request.target, "/f?a=1&b=2");
  assertStringIncludes(plugin.metrics(), 'links_total{result="valid"} 1');
});

Deno.test("secure-link binds a link to its client, and takes old secrets", async () => {
  const { handlers } = await startPlugin(secureLink, {
    secrets: ["a new secret, that nobody used", SECRET],
    bind: ["%{client_address}"],
  });
  const signature = sign(`GET\n${LATER}\n/\n\n192.0.2.1`);
  const target = `/?expires=${LATER}&signature=${signature}`;
  assertEquals(
    await handlers.foundProduct?.(fakeRequest({ target })),
    undefined,
  );
  const other = fakeRequest({ target, clientAddress: "192.0.2.2" });
  assertEquals((await handlers.foundProduct?.(other))?.kind, "respond");
});

Deno.test("secure-link guards what its condition names, however it is spelt", async () => {
  const { handlers } = await startPlugin(secureLink, {
    secrets: [SECRET],
    when: 'req_path_prefix_in("/files/", false)',
  });
  const kind = async (target: string) =>
    (await handlers.foundProduct?.(fakeRequest({ target })))?.kind;
  assertEquals(await kind("/"), undefined);
  assertEquals(await kind("/files/a"), "respond");
  assertEquals(await kind("/%66iles/a"), "respond");
});
