/**
 * Backends that answer before a request's body is all there, and what is sent
 * then to the next one: the body's bytes have one reader at a time.
 *
 * @module
 */
import type { HttpRequest } from "../../../core/plugin.ts";
import { verdicts } from "../../../core/verdict.ts";
import { assertEquals } from "../../support/assert.ts";
import { inTime } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { untypedPlugin } from "../../support/inline_plugin.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import {
  type ScriptedConnection,
  serveEach,
  serveScript,
} from "../../support/scripted_backend.ts";

const HEAD = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n";

/** Tells its request's body, and that nothing follows it. */
async function tell(connection: ScriptedConnection): Promise<void> {
  await connection.respond(200, await connection.body(30));
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Retries the first response of each transaction. */
const RETRYING = untypedPlugin("judge", {
  readResponseHeader: (
    _request: HttpRequest,
    _response: unknown,
    { number }: { readonly number: number },
  ) => number === 1 ? verdicts.retry : undefined,
});

for (
  const { what, cluster, plugins, answer } of [
    {
      what: "a 503 that the cluster's rules retry",
      cluster: { retries: { causes: ["503"] } },
      plugins: [],
      answer: "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
    },
    {
      what: "a 200 that a handler retries",
      cluster: {},
      plugins: [RETRYING],
      answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    },
    {
      what: "a 103 that a handler retries",
      cluster: {},
      plugins: [RETRYING],
      answer: "HTTP/1.1 103 Early Hints\r\n\r\n",
    },
  ]
) {
  for (const transformed of [false, true]) {
    const how = transformed ? ", through a transform" : "";
    Deno.test(`within a body comes ${what}${how}: the next backend gets the whole body, once`, async () => {
      await using early = serveScript(async (connection) => {
        await connection.request();
        await connection.body(10);
        await connection.send(answer);
        await connection.ended();
      });
      await using whole = serveEach(tell);
      await using proxy = await startProxyWith({
        backends: [early.url, whole.url],
        cluster: { balance: "first", ...cluster },
        plugins: [
          ...plugins,
          ...transformed
            ? [untypedPlugin("same", {
              afterLocation: ({ transaction }: HttpRequest) =>
                transaction.transformRequest(() => new TransformStream(), {
                  length: 30,
                }),
            })]
            : [],
        ],
      });
      using client = await HttpClient.connect(proxy.port());
      for (const letter of ["a", "b"]) {
        await client.send(HEAD + letter.repeat(10));
        // The first backend answers, the second is asked.
        await pause();
        await client.send("-".repeat(10));
        await pause();
        await client.send("=".repeat(10));
        assertEquals(
          (await inTime("an answer", client.response())).text,
          [
            letter.repeat(10),
            "-".repeat(10),
            "=".repeat(10),
          ].join(""),
        );
      }
    });
  }
}
