/** The test suites of other parsers, by the codec alone at every split point and against a running Headrace. */
import { FAILURES } from "../../core/errors.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  driveRequests,
  driveResponses,
  type Outcome,
} from "../core/http1/codec.ts";
import {
  bytesOf,
  isExplained,
  replyCase,
  requestCase,
  type RequestRow,
} from "./corpora/corpus.ts";
import { HTTP_GARDEN } from "./corpora/http_garden.ts";
import { LLHTTP_FRAMING } from "./corpora/llhttp_framing.ts";
import { LLHTTP_REPLIES } from "./corpora/llhttp_replies.ts";
import { LLHTTP_REQUESTS } from "./corpora/llhttp_requests.ts";
import { meetCases } from "./meet_cases.ts";

/** A row with where it is from. */
interface Sourced<Row> {
  readonly row: Row;
  readonly source: string;
}

const REQUESTS: readonly Sourced<RequestRow>[] = [
  ...fromFiles("llhttp request", { ...LLHTTP_REQUESTS, ...LLHTTP_FRAMING }),
  ...HTTP_GARDEN.map((row) => ({ row, source: "http-garden TROPHIES.md" })),
];
const REPLIES = fromFiles("llhttp response", LLHTTP_REPLIES);

function fromFiles<Row>(
  what: string,
  files: Readonly<Record<string, readonly Row[]>>,
): Sourced<Row>[] {
  return Object.entries(files).flatMap(([file, rows]) =>
    rows.map((row) => ({ row, source: `${what}/${file}.md` }))
  );
}

for (const { row, source } of REQUESTS) {
  Deno.test(`the codec and ${source}: ${row.name}`, () => {
    const text = bytesOf(row, "with");
    const whole = driveRequests([text]);
    assertEquals(verdictsOf(whole), row.ours);
    for (const pieces of splitsOf(text)) {
      assertEquals(driveRequests(pieces), whole);
    }
    assert(isExplained(row), "it does not say why, or says so needlessly");
  });
}

Deno.test("what other suites send without Host is refused for that, or for what comes before", () => {
  let tried = 0;
  for (const { row } of REQUESTS) {
    const text = bytesOf(row, "without");
    if (text === bytesOf(row, "with")) continue;
    const [first = "none"] = verdictsOf(driveRequests([text]));
    // What does not end its head is not judged yet.
    if (row.ours[0] !== "more") assert(/^[45]/.test(first), row.name);
    tried++;
  }
  assert(tried > 80, `${tried} rows`);
});

for (const { row, source } of REPLIES) {
  Deno.test(`the codec and ${source}: ${row.name}`, () => {
    const whole = driveResponses([row.text]);
    const [message] = whole.messages;
    if (message?.head.status === 101) {
      // That nobody has asked for it is the session's to know.
      assertEquals(row.ours, "502");
    } else if (row.ours === "502") {
      assertEquals(whole.error, "bad_response");
    } else {
      assertEquals(`${message?.head.status}`, row.ours);
      if (row.body !== undefined) assertEquals(message?.body, row.body);
    }
    for (const pieces of splitsOf(row.text)) {
      assertEquals(driveResponses(pieces), whole);
    }
    assert(isExplained(row), "it does not say why, or says so needlessly");
  });
}

Deno.test("http1: other parsers' suites come to what their tables say, over real sockets", async () => {
  await meetCases(
    "Corpora (L: llhttp's requests, H: http-garden's, R: llhttp's responses)",
    [
      ...REQUESTS.map(({ row, source }, i) =>
        requestCase(row, `${source[0] === "l" ? "L" : "H"}${i}`, source)
      ),
      ...REPLIES.map(({ row, source }, i) => replyCase(row, `R${i}`, source)),
    ],
  );
});

/** What became of each request, as the tables say it. */
function verdictsOf({ messages, error, pending }: Outcome): string[] {
  const verdicts = messages.filter(({ complete }) => complete).map(() => "200");
  if (error !== undefined) verdicts.push(`${FAILURES[error].status}`);
  // What follows the last request is not read, refused or not.
  const last = messages.findIndex(({ head, complete }) =>
    complete && head.keepAlive === false
  );
  if (last >= 0) return verdicts.slice(0, last + 1);
  const cut = messages.some(({ complete }) => !complete);
  if (error === undefined && (pending > 0 || cut)) verdicts.push("more");
  return verdicts;
}

/** In single bytes, and in two pieces at every place. */
function splitsOf(text: string): string[][] {
  const cuts = Array.from({ length: text.length - 1 }, (_, i) => i + 1);
  return [
    text.split(""),
    ...cuts.map((cut) => [text.slice(0, cut), text.slice(cut)]),
  ];
}
