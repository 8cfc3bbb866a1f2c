/**
 * What Node's and nginx's parsers see behind Headrace is what Headrace has
 * decided, whatever clients send: valid requests, broken by the dictionary of
 * request smuggling or at random, in pieces, by clients some of whom leave.
 *
 * `HEADRACE_FUZZ_RUNS` sets the number of messages, `HEADRACE_FUZZ_SEED` the seed.
 */
import fc from "fast-check";
import { cut, cuts, requests } from "../core/http1/arbitraries.ts";
import { edits, mutate, REQUEST_SEEDS } from "../core/http1/mutations.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { startNginx } from "../support/nginx_proxy.ts";
import {
  hasCommand,
  type NodeRecorder,
  startNodeRecorder,
} from "../support/node_recorder.ts";
import { runsOf } from "../support/property.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import {
  type Script,
  statusesOf,
  strayResponses,
  type Visit,
  visitAll,
} from "./differential/clients.ts";
import { disagreements } from "./differential/compare.ts";
import { Decisions, type Sent } from "./differential/decisions.ts";

const HAS_NODE = await hasCommand("node", "--version");
const HAS_NGINX = await hasCommand("nginx", "-v");
if (!HAS_NODE) console.warn("SKIPPED: differential tests, as there is no node");
if (!HAS_NGINX) {
  console.warn(
    "SKIPPED: the differential test with nginx, as there is no nginx",
  );
}

const script: fc.Arbitrary<Script> = fc.record({
  text: fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(...REQUEST_SEEDS) },
    {
      weight: 3,
      arbitrary: requests.map((models) =>
        models.map(({ text }) => text).join("")
      ),
    },
  ),
  edits: fc.oneof(
    { weight: 9, arbitrary: edits },
    { weight: 1, arbitrary: fc.constant([]) },
  ),
  cuts,
  leaves: fc.option(fc.nat({ max: 6 }), { freq: 9 }),
}).map(({ text, edits, cuts, leaves }) => {
  const sent = mutate(text, edits);
  return { text: sent, pieces: cut(sent, cuts), leaves: leaves ?? undefined };
});

/** What came of all scripts. */
interface Played {
  readonly decisions: Decisions;
  readonly visits: ReadonlyMap<string, Visit>;
  readonly strays: readonly string[];
}

/** None of them; the first few are enough to tell. */
function assertNone(problems: readonly string[]): void {
  const some = problems.slice(0, 3).map((problem) => problem.slice(0, 1000));
  assertEquals(some, [], `${problems.length} problems`);
}

/** Plays scripts through Headrace before a backend, until that has told all that it has seen. */
async function play(
  url: string,
  recorder: NodeRecorder,
  what: string,
  usual: number,
): Promise<Played> {
  const { seed, numRuns } = runsOf(what, usual);
  const decisions = new Decisions(recorder.methods);
  await using proxy = await startProxyWith({
    backends: [url],
    plugins: [decisions.plugin],
  });
  const started = performance.now();
  const visits = await visitAll(
    proxy.port(),
    fc.sample(script, { seed, numRuns }),
  );
  await eventually("the sessions' end", async () => {
    const { sessionsOpen } = await proxy.supervisor.report(0);
    return sessionsOpen === 0;
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  // What comes last has everything else before it.
  await (await fetch(proxy.url("/last"))).body?.cancel();
  await eventually(
    "the last request",
    () => recorder.requests.some(({ target }) => target === "/last"),
  );
  console.log(
    `  ${visits.size} connections in ${seconds} s, ${decisions.sent.length} requests sent on; ${
      statusesOf(decisions.closed)
    }`,
  );
  assert(decisions.sent.length > numRuns / 2, "hardly anything was accepted");
  return { decisions, visits, strays: strayResponses(decisions, visits) };
}

Deno.test({
  name: "http1: what Node sees behind Headrace is what Headrace decided",
  ignore: !HAS_NODE,
  async fn() {
    await using node = await startNodeRecorder();
    const { decisions, visits, strays } = await play(
      node.url,
      node,
      `mutated requests to Node ${node.version}`,
      3000,
    );
    assertNone(disagreements(decisions, visits, node.requests));
    assertNone(strays);
    assertNone(unjustified(node));
  },
});

/** What Node calls wrong, but for a connection that ends within a body: so end those whose client failed. */
function unjustified({ errors }: NodeRecorder): string[] {
  return errors.filter(({ code, packet }) =>
    packet !== "" || !/^(HPE_INVALID_EOF_STATE|ECONNRESET)$/.test(code)
  ).map((error) => JSON.stringify(error));
}

Deno.test({
  name: "http1: what nginx sees behind Headrace is what Headrace decided",
  ignore: !HAS_NODE || !HAS_NGINX,
  async fn() {
    await using node = await startNodeRecorder();
    await using nginx = await startNginx(node.port);
    const { decisions, visits, strays } = await play(
      nginx.url,
      node,
      `mutated requests to ${nginx.version}`,
      2000,
    );
    const entries = await nginx.entries();
    const stopped = new Set<number>();
    const { closed, sent } = decisions;
    const answered = new Map(closed.map(({ nginxId, id }) => [nginxId, id]));
    const byTransaction = new Map(sent.map((each) => [each.transaction, each]));
    const byNumber = new Map(sent.map((each) => [String(each.number), each]));
    const byLine = new Map(sent.map((each) => [lineOf(each), each]));
    const wrongly = entries.filter((entry) => {
      const id = answered.get(entry.id);
      // Who left before nginx answered is known by a field, or only by its line.
      const own = id !== undefined
        ? byTransaction.get(id)
        : entry.transaction !== ""
        ? byNumber.get(entry.transaction)
        : byLine.get(entry.line);
      if (own === undefined) return true;
      if (entry.backendStatus === 200) return false;
      if (id !== undefined) stopped.add(own.number);
      return id !== undefined && !nginxRefuses(own);
    });
    assertNone(wrongly.map((entry) => JSON.stringify(entry)));
    console.log(`  ${stopped.size} of ${entries.length} nginx did not send on`);
    assert(stopped.size < entries.length / 2);
    assertNone(disagreements(decisions, visits, node.requests, stopped));
    assertNone(strays);
  },
});

function lineOf({ method, target }: Sent): string {
  return `${method} ${target} HTTP/1.1`;
}

/** Whether nginx is stricter than RFC 9110 and 3986 are. */
function nginxRefuses({ method, target, fields }: Sent): boolean {
  const [, host = ""] =
    fields.find(([name]) => name.toLowerCase() === "host") ?? [];
  const [path = ""] = target.split("?");
  return !/^[A-Z_-]+$/.test(method) || target === "*" ||
    host === "" || host.includes("..") ||
    /%(?![0-9a-f]{2})|%00/i.test(path) || path.includes("..");
}
