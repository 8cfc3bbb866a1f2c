/**
 * What Node's client gets through Headrace is what Headrace's codec makes of what
 * a backend sent for this very request, whatever that was: valid responses,
 * broken by a dictionary or at random, in pieces, over connections that are
 * kept. A response of one request never shows in another's.
 *
 * `HEADRACE_FUZZ_RUNS` sets the number of responses, `HEADRACE_FUZZ_SEED` the seed.
 */
import fc from "fast-check";
import { cut, cuts, response } from "../core/http1/arbitraries.ts";
import {
  driveResponses,
  type Message,
  type Outcome,
} from "../core/http1/codec.ts";
import { edits, mutate, REPLY_SEEDS } from "../core/http1/mutations.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { hasCommand } from "../support/node_recorder.ts";
import { runsOf } from "../support/property.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import {
  askAll,
  type Got,
  methodOf,
  type Reply,
  serveReplies,
} from "./differential/replies.ts";

const HAS_NODE = await hasCommand("node", "--version");
if (!HAS_NODE) {
  console.warn(
    "SKIPPED: the differential test of responses, as there is no node",
  );
}

/** Fields that belong to one connection, or that Headrace adds. */
const OWN =
  /^(connection|content-length|date|http2-settings|keep-alive|proxy-(authenticate|authorization|connection)|te|trailer|transfer-encoding|upgrade|via)$/i;

const broken = fc.record({
  text: fc.oneof(
    fc.constantFrom(...REPLY_SEEDS),
    response.map(({ text }) => text),
  ),
  edits: fc.oneof(
    { weight: 5, arbitrary: edits },
    { weight: 1, arbitrary: fc.constant([]) },
  ),
  cuts,
  closes: fc.constantFrom(true, false, false, false),
});

/** The replies by their numbers: each names its own in its final response. */
function repliesOf(runs: { seed: number; numRuns: number }): Reply[] {
  return fc.sample(broken, runs).map(
    ({ text, edits, cuts, closes }, number) => {
      const named = text.replace(
        /(?<=^|\r\n)HTTP\/1\.\d [2-5]\d\d[^\r\n]*\r\n/,
        (line) => `${line}X-Reply: ${number}\r\n`,
      );
      const sent = mutate(named, edits);
      const outcome = driveResponses([sent], methodOf(number));
      const final = finalOf(outcome);
      const ends = final === undefined || !final.complete;
      return { text: sent, pieces: cut(sent, cuts), closes: closes || ends };
    },
  );
}

function finalOf({ messages }: Outcome): Message | undefined {
  return messages.find(({ head }) => isFinal(head.status as number));
}

function isFinal(status: number): boolean {
  return status === 101 || status >= 200;
}

/** How what came differs from what was to come, in words. */
function differences(got: Got, reply: Reply): string[] {
  const outcome = driveResponses([reply.text], methodOf(got.number));
  const final = finalOf(outcome);
  const before = outcome.messages.slice(0, outcome.messages.indexOf(final!));
  const interim = before.map(({ head }) => head.status);
  const problems: string[] = [];
  const compare = (what: string, one: unknown, other: unknown) => {
    const [a, b] = [JSON.stringify(one), JSON.stringify(other)];
    if (a !== b) problems.push(`${what}: ${a} instead of ${b}`);
  };
  const whole = final !== undefined &&
    (final.complete || final.head.closeDelimited === true);
  if (final === undefined || final.head.status === 101) {
    compare("the status", got.status, 502);
    return problems;
  }
  // Broken behind its head: refused, or cut off where it is out already.
  if (!whole && (got.status === 502 || got.error !== undefined)) return [];
  compare("the status", got.status, final.head.status);
  compare("the reason", got.reason, final.head.reason);
  compare("the interim responses", got.interim, interim);
  compare(
    "the field list",
    pairsOf(got.fields ?? []).filter(([name]) => !OWN.test(name)),
    final.fields.filter(([name]) => !OWN.test(name)),
  );
  compare("whether it is whole", got.complete, whole);
  if (whole) compare("the body", got.body, final.body);
  return problems;
}

function pairsOf(fields: readonly string[]): [string, string][] {
  return Array.from(
    { length: fields.length / 2 },
    (_, i) => [fields[2 * i]!, fields[2 * i + 1]!],
  );
}

Deno.test({
  name:
    "http1: what Node's client gets is what Headrace made of its own response",
  ignore: !HAS_NODE,
  async fn() {
    const runs = runsOf("mutated responses to Node's client", 2000);
    const replies = repliesOf(runs);
    await using backend = serveReplies(replies);
    await using proxy = await startProxyWith({
      backends: [backend.url.replace("tcp:", "http:")],
    });
    const got = await askAll(proxy.port(), replies.length);
    assertEquals(
      got.map(({ number }) => number),
      replies.map((_, number) => number),
    );
    const passed = got.filter(({ status, complete }) =>
      complete === true && status !== 502
    ).length;
    console.log(
      `  ${passed} of them came through, over ${backend.accepted} connections`,
    );
    const problems = got.flatMap((each) => {
      const reply = replies[each.number]!;
      const some = differences(each, reply).join("; ");
      return some === "" ? [] : [`${some}: of ${JSON.stringify(reply.text)}`];
    });
    assertEquals(
      problems.slice(0, 3).map((problem) => problem.slice(0, 1000)),
      [],
      `${problems.length} problems`,
    );
    assert(passed > runs.numRuns / 4, "hardly anything came through");
  },
});
