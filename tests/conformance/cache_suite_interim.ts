/**
 * The public cache tests' questions on interim responses, which the published
 * version's origin can't send and `fetch` does not show: asked over raw
 * connections.
 *
 * @module
 */
import { startProxyWith } from "../support/proxy_with.ts";
import { RawClient } from "../support/raw_client.ts";
import { serveScript } from "../support/scripted_backend.ts";

/** As the suite tells results: true, or what is wrong. */
export type InterimResult = true | readonly [kind: string, message: string];

/** One of the tests. */
export interface InterimTest {
  readonly id: string;
  readonly kind: "required" | "optimal";
  readonly "depends_on"?: readonly string[];
  passes(): Promise<InterimResult>;
}

const LINK = "Link: </styles.css>; rel=preload; as=style\r\n";
const OWN = "X-My-Header: test\r\n";

/** The heads that a client gets of two requests, the second answered from the cache. */
async function ask(interim: string): Promise<readonly [string[], string[]]> {
  await using backend = serveScript(async (connection) => {
    for (;;) {
      const request = await connection.request();
      if (request === undefined) return;
      await connection.send(
        `${interim}HTTP/1.1 200 OK\r\nCache-Control: max-age=100000\r\n` +
          `Date: ${new Date().toUTCString()}\r\nContent-Length: 2\r\n\r\nok`,
      );
    }
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cache: {},
  });
  const heads = async () => {
    using client = await RawClient.connect(proxy.port());
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return (await client.responses(1)).map(({ head }) => head);
  };
  return [await heads(), await heads()];
}

function test(
  id: string,
  kind: InterimTest["kind"],
  interim: string,
  wrong: (
    first: readonly string[],
    second: readonly string[],
  ) => string | undefined,
): InterimTest {
  return {
    id,
    kind,
    async passes() {
      const [first, second] = await ask(`${interim}\r\n`);
      const [status] = interim.split("\r\n");
      if (!first[0]?.startsWith(status!)) {
        return ["Assertion", `Response 1 begins with ${first[0]}`];
      }
      if (!/^age:/im.test(second.at(-1) ?? "")) {
        return ["Assertion", "Response 2 does not come from cache"];
      }
      const message = wrong(first, second);
      return message === undefined || ["Assertion", message];
    },
  };
}

const HINTS = `HTTP/1.1 103 Early Hints\r\n${LINK}`;

/** All of them. */
export const INTERIM: readonly InterimTest[] = [
  test(
    "interim-102",
    "optimal",
    "HTTP/1.1 102 Processing\r\n",
    () => undefined,
  ),
  test(
    "interim-103",
    "optimal",
    HINTS + OWN,
    ([head]) =>
      /^link:/im.test(head!) && /^x-my-header:/im.test(head!)
        ? undefined
        : "Interim response 1 has lost its fields",
  ),
  test(
    "interim-not-cached",
    "required",
    HINTS,
    (_, second) =>
      second.length === 1 ? undefined : "Response 2 has an interim one",
  ),
  test(
    "interim-no-header-reuse",
    "optimal",
    HINTS + OWN,
    (first, second) =>
      [first.at(-1)!, second.at(-1)!].some((head) =>
          /^x-my-header:/im.test(head)
        )
        ? "A final response has an interim one's field"
        : undefined,
  ),
];
