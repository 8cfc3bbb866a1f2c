/** The acceptance cases of an HTTP/1.1 proxy, held against the codec alone. */
import { FAILURES } from "../../../core/errors.ts";
import { assert, assertEquals, assertMatch } from "../../support/assert.ts";
import {
  type AcceptanceCase,
  acceptanceCases,
  patternOf,
  textOf,
} from "./acceptance_cases.ts";
import { driveRequests, driveResponses, type Outcome } from "./codec.ts";

/** Cases that a codec cannot judge, and why. */
const NOT_OURS: Readonly<Record<string, string>> = {
  I08: "silence within a head is a timeout",
  I10: "a slow head is a timeout",
  I11: "the end within a head is the connection's to see",
  H09: "X-Forwarded-For is added by who knows the client's address",
  J06: "Max-Forwards is counted by the session",
  I05: "requests behind Connection: close are dropped by the connection",
  K11: "an early answer ends the exchange before the body is complete",
};

const cases = acceptanceCases();
const ours = cases.filter((item) => NOT_OURS[item.id] === undefined);

/** What is sent on, as far as the codec makes it. */
function sentOn(outcome: Outcome): string {
  return outcome.messages.map(({ written, body }) => written + body).join("");
}

function mayBeRefused(item: AcceptanceCase): boolean {
  const first = item.expect.st[0] ?? "";
  return first.split("|").some((status) => /^4|^50[15]/.test(status));
}

/** Cases whose patterns were looked for: none would mean that nothing was checked. */
const PATTERNS_SEEN = new Set<string>();

for (const item of ours.filter(({ expect }) => expect.up === 0)) {
  Deno.test(`the codec refuses ${item.id}: ${item.name}`, () => {
    const outcome = driveRequests([textOf(item.send)]);
    assert(outcome.error !== undefined, "it was accepted");
    const { side, status } = FAILURES[outcome.error];
    assertEquals(side, "client");
    // Some cases list only 400 where the RFC has a more exact status.
    const listed = (item.expect.st[0] ?? "").split("|");
    assert(
      listed.includes(`${status}`) || listed.includes("400"),
      `${status} is none of ${listed}`,
    );
    assert(
      outcome.messages.every(({ complete }) => !complete),
      "a message was complete before",
    );
  });
}

for (const item of ours.filter(({ expect }) => expect.up !== 0)) {
  Deno.test(`the codec understands ${item.id}: ${item.name}`, () => {
    const outcome = driveRequests([textOf(item.send)]);
    if (outcome.error !== undefined) {
      const { status } = FAILURES[outcome.error];
      assert(mayBeRefused(item), `it was refused with ${outcome.error}`);
      const listed = (item.expect.st[0] ?? "").split("|");
      assert(listed.includes(`${status}`), `${status} is none of ${listed}`);
      return;
    }
    const sent = sentOn(outcome);
    for (const source of item.expect.upre ?? []) {
      assertMatch(sent, patternOf(source));
      PATTERNS_SEEN.add(item.id);
    }
    for (const source of item.expect.upno ?? []) {
      assert(!patternOf(source).test(sent), `${source} matches ${sent}`);
      PATTERNS_SEEN.add(item.id);
    }
  });
}

Deno.test("the cases that are left to others are all there", () => {
  const ids = new Set(cases.map(({ id }) => id));
  for (const id of Object.keys(NOT_OURS)) assert(ids.has(id), id);
  assertEquals(cases.length, 158);
  assert(PATTERNS_SEEN.size > 15, `${PATTERNS_SEEN.size} cases have patterns`);
});

// ------------------------------------------------------------------ responses

/** [case, method, what comes of the first reply] */
const REPLIES: readonly (readonly [string, string, unknown])[] = [
  ["J02", "HEAD", { bodyLength: 0, declaredLength: 4 }],
  ["J03", "GET", { bodyLength: 0, declaredLength: undefined }],
  ["K01", "GET", { status: 100, bodyLength: 0 }],
  ["K05", "GET", { status: 103, bodyLength: 0 }],
  ["K08", "GET", { status: 101, bodyLength: 0 }],
  ["L01", "GET", { status: 101, bodyLength: 0 }],
  ["M01", "GET", { closeDelimited: true, keepAlive: false, bodyLength: -1 }],
  ["M02", "GET", { bodyLength: 10 }],
  ["M04", "GET", { bodyLength: 2 }],
  ["M05", "GET", "bad_response"],
  ["M07", "GET", "bad_response"],
  ["M08", "GET", "bad_response"],
  ["M10", "GET", "bad_response"],
  ["M11", "GET", "bad_response"],
  ["M13", "GET", "bad_response"],
  ["M14", "GET", "bad_response"],
  ["M16", "GET", { status: 200, reason: "", bodyLength: 2 }],
  ["M20", "GET", "response_too_large"],
  ["M22", "GET", { status: 200, keepAlive: false, bodyLength: 2 }],
  ["M23", "GET", "bad_response"],
  ["N03", "GET", { bodyLength: 5_000_000 }],
];

for (const [id, method, expected] of REPLIES) {
  const item = cases.find((candidate) => candidate.id === id);
  Deno.test(`the codec judges the response of ${id}: ${item?.name}`, () => {
    const outcome = driveResponses([item?.replies[0] ?? ""], method);
    if (typeof expected === "string") {
      assertEquals(outcome.error, expected);
      return;
    }
    const head = outcome.messages[0]?.head;
    assertEquals({ ...head, ...expected as object }, { ...head });
  });
}

Deno.test("the codec sends no response as it must not be", () => {
  let patterns = 0;
  for (const item of ours) {
    const [reply] = item.replies;
    // After a HEAD there is no body; surplus bytes are the connection's to drop.
    if (reply === undefined || item.id === "M04") continue;
    const method = item.id === "J02" ? "HEAD" : "GET";
    const [message] = driveResponses([reply], method).messages;
    const sent = message === undefined ? "" : message.written + message.body;
    for (const source of item.expect.outno ?? []) {
      assert(!patternOf(source).test(sent), `${item.id}: ${source}`);
      patterns++;
    }
  }
  assert(patterns >= 5, `${patterns} patterns`);
});
