import { generate } from "../../../scripts/bench/generator.ts";
import type {
  PacedReport,
  PacedTask,
} from "../../../scripts/bench/paced_main.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const WRONG = "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno";
const SKIPPED =
  "the generator of paced load needs Linux and its glibc: not tested here";
const here = Deno.build.os === "linux" && Deno.build.env === "gnu";
if (!here) console.log(SKIPPED);

/** Answers each read after what `wait` says of the count so far. */
async function withBackend(
  answer: string,
  wait: (count: number) => Promise<void> | undefined,
  run: (port: number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const bytes = new TextEncoder().encode(answer);
  const conns: Promise<void>[] = [];
  let count = 0;
  const accepting = (async () => {
    for await (const conn of listener) {
      conns.push((async () => {
        const buffer = new Uint8Array(1024);
        while (await conn.read(buffer) !== null) {
          await wait(count++);
          await conn.write(bytes);
        }
        conn.close();
      })());
    }
  })();
  await run(listener.addr.port);
  listener.close();
  await accepting;
  await Promise.all(conns);
}

async function pace(port: number, rate: number): Promise<PacedReport> {
  return await generate<PacedTask, PacedReport>("paced_main.ts", {
    port,
    request: "GET / HTTP/1.1\r\nHost: t\r\n\r\n",
    length: ANSWER.length,
    connections: 2,
    rate,
    seconds: 0.5,
  });
}

Deno.test({
  name: "paced load: a pause is told of all whom it makes wait",
  ignore: !here,
  fn: () => {
    // Both connections stop for 300 ms: who sent only when it got answers would
    // tell of two slow requests in 200, not of half of them.
    let until = 0;
    const wait = (count: number) => {
      if (count === 120) until = performance.now() + 300;
      const rest = until - performance.now();
      return rest > 0
        ? new Promise<void>((resolve) => setTimeout(resolve, rest))
        : undefined;
    };
    return withBackend(ANSWER, wait, async (port) => {
      const report = await pace(port, 200);
      assertEquals(report.planned, 200);
      assertEquals(report.answered, 200);
      assertEquals(report.wrong, 0);
      assert(report.p99 > 200, `p99 is ${report.p99} ms`);
      assert(report.p50 < report.p99);
    });
  },
});

Deno.test({
  name: "paced load: answers of another status are counted",
  ignore: !here,
  fn: () =>
    withBackend(WRONG, () => undefined, async (port) => {
      const report = await pace(port, 100);
      assertEquals(report.wrong, 100);
    }),
});
