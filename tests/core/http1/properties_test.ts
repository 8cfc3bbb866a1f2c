/**
 * What holds for any bytes: what is accepted is understood in the same way by
 * the next hop, and however it is cut.
 */
import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { runsOf } from "../../support/property.ts";
import { cut, cuts, requests, response } from "./arbitraries.ts";
import {
  driveRequests,
  driveResponses,
  type Outcome,
  parseRequest,
} from "./codec.ts";
import { edits, mutate, REPLY_SEEDS, REQUEST_SEEDS } from "./mutations.ts";
import { sentOn } from "./sent_on.ts";

const brokenRequests = fc.tuple(
  fc.oneof(
    fc.constantFrom(...REQUEST_SEEDS),
    requests.map((models) => models.map(({ text }) => text).join("")),
  ),
  edits,
).map(([text, edits]) => mutate(text, edits));

const brokenReplies = fc.tuple(
  fc.oneof(fc.constantFrom(...REPLY_SEEDS), response.map(({ text }) => text)),
  edits,
).map(([text, edits]) => mutate(text, edits));

const METHODS = fc.constantFrom("GET", "GET", "HEAD");

/** What a next hop must agree on. */
function meaning({ messages }: Outcome): unknown {
  return messages.filter(({ complete }) => complete).map((message) => {
    const { method, target, status, reason, bodyLength } = message.head;
    // No Host leaves as an empty one: that means the same.
    const host = message.fields.filter(([name]) => /^host$/i.test(name))
      .map(([, value]) => value).join();
    return {
      method,
      target,
      status,
      reason,
      bodyLength,
      body: message.body,
      host,
    };
  });
}

Deno.test("what is accepted of mutated requests means the same when sent on", () => {
  let accepted = 0;
  const property = fc.property(brokenRequests, (text) => {
    const outcome = driveRequests([text]);
    const complete = outcome.messages.filter((message) => message.complete);
    const again = driveRequests([complete.map(sentOn).join("")]);
    assertEquals(again.error, undefined);
    assertEquals(again.pending, 0);
    assertEquals(meaning(again), meaning(outcome));
    accepted += complete.length;
  });
  const runs = runsOf("mutated requests", 3000);
  fc.assert(property, runs);
  assert(accepted > runs.numRuns / 2, `${accepted} requests were accepted`);
});

Deno.test("what is accepted of mutated responses means the same when sent on", () => {
  let accepted = 0;
  const property = fc.property(brokenReplies, METHODS, (text, method) => {
    const outcome = driveResponses([text], method);
    const [first] = outcome.messages;
    if (first === undefined) return;
    // What follows a response on its connection is not sent on. One that lasts
    // to the end of its connection is complete when that comes.
    const [length, lasts] = [first.head.bodyLength, first.head.closeDelimited];
    if (!first.complete && lasts !== true) return;
    const again = driveResponses([sentOn(first)], method);
    assertEquals(again.error, undefined);
    assertEquals(again.pending, 0);
    const message = again.messages[0]!;
    assertEquals([again.messages.length, message.complete], [1, true]);
    assertEquals([message.head.status, message.head.reason], [
      first.head.status,
      first.head.reason,
    ]);
    assertEquals([message.head.bodyLength, message.body], [length, first.body]);
    accepted++;
  });
  const runs = runsOf("mutated responses", 2000);
  fc.assert(property, runs);
  assert(accepted > runs.numRuns / 4, `${accepted} responses were accepted`);
});

Deno.test("mutated requests come to the same however they are cut", () => {
  const property = fc.property(brokenRequests, cuts, (text, places) => {
    const whole = driveRequests([text]);
    assertEquals(driveRequests(cut(text, places)), whole);
    assertEquals(driveRequests(text.split("")), whole);
  });
  fc.assert(property, runsOf("mutated requests in pieces", 500));
});

Deno.test("mutated responses come to the same however they are cut", () => {
  const property = fc.property(
    brokenReplies,
    METHODS,
    cuts,
    (text, method, places) => {
      const whole = driveResponses([text], method);
      assertEquals(driveResponses(cut(text, places), method), whole);
      assertEquals(driveResponses(text.split(""), method), whole);
    },
  );
  fc.assert(property, runsOf("mutated responses in pieces", 500));
});

Deno.test("any bytes end in a message, a wish for more or a ProxyError", () => {
  const bytes = fc.array(
    fc.oneof(
      fc.constantFrom(
        "GET ",
        "/",
        " HTTP/1.1\r\n",
        "Host: a\r\n",
        "\r\n",
        "0",
        "\r",
        "\n",
        ":",
        " ",
      ),
      fc.nat({ max: 255 }).map((byte) => String.fromCharCode(byte)),
    ),
    { maxLength: 30 },
  );
  const property = fc.property(bytes, (pieces) => {
    // Anything else that was thrown would come out of these.
    driveRequests(pieces);
    driveResponses(pieces);
    driveResponses(["HTTP/1.1 200 OK\r\n", ...pieces]);
  });
  fc.assert(property, runsOf("any bytes", 1000));
});

Deno.test("a failure of a head has a status of the client's side", () => {
  let refused = 0;
  const property = fc.property(brokenRequests, (text) => {
    try {
      parseRequest(text);
    } catch (thrown) {
      if (!(thrown instanceof ProxyError)) return;
      refused++;
      assertEquals(thrown.side, "client");
      assert(thrown.status >= 400 && thrown.status < 600);
    }
  });
  const runs = runsOf("refused heads", 500);
  fc.assert(property, runs);
  assert(refused > runs.numRuns / 10, `${refused} were refused`);
});
