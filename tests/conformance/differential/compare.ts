/**
 * Holds what a backend has read against what Headrace has decided.
 *
 * @module
 */
import type { RecordedRequest } from "../../support/node_recorder.ts";
import { parseChunks } from "../../support/raw_responses.ts";
import type { Visit } from "./clients.ts";
import type { Closed, Decisions, Sent } from "./decisions.ts";

/** Fields that frame a message or that Headrace makes on its own: they are not compared. */
const OWN: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  // Stays where it means nothing.
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
]);

/** A request's body. Behind one whose client has left there may be more: bytes that came with it count for it. */
interface ExpectedBody {
  readonly text: string;
  readonly exact: boolean;
}

/** Every disagreement, in words; `stopped` are requests that did not come as far as who recorded. */
export function disagreements(
  decisions: Decisions,
  visits: ReadonlyMap<string, Visit>,
  recorded: readonly RecordedRequest[],
  stopped: ReadonlySet<number> = new Set(),
): string[] {
  const sent = new Map(decisions.sent.map((each) => [each.transaction, each]));
  const byNumber = new Map(
    decisions.sent.map((each) => [String(each.number), each]),
  );
  const early = new Set(
    decisions.sent.filter((each) => each.early || stopped.has(each.number))
      .map(({ transaction }) => transaction),
  );
  const bodies = bodiesOf(decisions.closed, visits, early);
  const problems: string[] = [];
  const complete = new Map<string, number>();
  for (const request of recorded) {
    const number = valuesOf(request.fields, "x-transaction");
    const decided = byNumber.get(number.join());
    if (decided === undefined) {
      problems.push(`nobody decided to send ${JSON.stringify(request)}`);
      continue;
    }
    const { transaction } = decided;
    if (request.complete) {
      complete.set(transaction, (complete.get(transaction) ?? 0) + 1);
    }
    const body = request.complete ? bodies.get(transaction) : undefined;
    const different = differences(decided, request, body);
    if (different.length > 0) {
      problems.push(`${different.join("; ")}: of ${JSON.stringify(decided)}`);
    }
  }
  for (const closed of decisions.closed) {
    const count = complete.get(closed.id) ?? 0;
    const own = sent.get(closed.id);
    const [least, most] = own === undefined || stopped.has(own.number)
      ? [0, 0]
      : expectedRequests(closed, own);
    if (count < least || count > most) {
      problems.push(
        `${count} requests instead of ${least} to ${most} for ${
          JSON.stringify(closed)
        }`,
      );
    }
  }
  return problems;
}

/** How many whole requests a transaction makes that came as far as to a backend. */
function expectedRequests(closed: Closed, sent: Sent): [number, number] {
  // Answered early, or its client left: perhaps behind its request.
  if (sent.early || closed.status === 499) return [0, 1];
  if (closed.from === "backend") return [1, 1];
  return [0, 0];
}

function differences(
  decided: Sent,
  request: RecordedRequest,
  body: ExpectedBody | undefined,
): string[] {
  const { method, target, fields } = request;
  const problems: string[] = [];
  const compare = (what: string, got: unknown, wanted: unknown) => {
    const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
    if (one !== other) problems.push(`${what} is ${one} instead of ${other}`);
  };
  compare("the method", method, decided.method);
  compare("the target", target, decided.target);
  compare(
    "the field list",
    pairsOf(fields).filter(([name]) => !OWN.has(name.toLowerCase())),
    decided.fields.filter(([name]) => !OWN.has(name.toLowerCase())),
  );
  const hosts = decided.fields.filter(([name]) =>
    name.toLowerCase() === "host"
  );
  // HTTP/1.0 may come without one: then Headrace names the backend.
  if (hosts.length > 0) {
    compare("Host", valuesOf(fields, "host"), hosts.map(([, value]) => value));
  } else {
    compare("the number of Host", valuesOf(fields, "host").length, 1);
  }
  const [lengths, codings] = [
    valuesOf(fields, "content-length").length,
    valuesOf(fields, "transfer-encoding").length,
  ];
  if (lengths + codings > 1) problems.push("the body is framed twice");
  const expect = valuesOf(fields, "expect").join().toLowerCase();
  if (expect !== "" && expect !== "100-continue") {
    problems.push(`Expect is ${expect}`);
  }
  if (body?.exact === true) compare("the body", request.body, body.text);
  if (body?.text.startsWith(request.body) === false) {
    problems.push(`the body is not the beginning of ${JSON.stringify(body)}`);
  }
  return problems;
}

/**
 * The bodies by transaction, cut out of what clients sent by the bytes that
 * Headrace has taken for each request; none behind one that was answered early,
 * since what is drained of its body counts for none.
 */
function bodiesOf(
  closed: readonly Closed[],
  visits: ReadonlyMap<string, Visit>,
  early: ReadonlySet<string>,
): Map<string, ExpectedBody> {
  const bodies = new Map<string, ExpectedBody>();
  const places = new Map<string, number>();
  for (const { id, visit, bytesIn, from } of closed) {
    const script = visits.get(visit)?.script;
    if (script === undefined) continue;
    const { text, leaves } = script;
    let start = places.get(visit) ?? 0;
    if (start < 0) continue;
    while (text.startsWith("\r\n", start)) start += 2;
    const drained = from !== "backend" || early.has(id);
    places.set(visit, drained ? -1 : start + bytesIn);
    bodies.set(id, {
      text: bodyOf(text.slice(start, start + bytesIn)),
      exact: leaves === undefined,
    });
  }
  return bodies;
}

/** The body of a request that is known to be well-formed. */
function bodyOf(request: string): string {
  const at = request.indexOf("\r\n\r\n") + 4;
  return /\r\ntransfer-encoding:/i.test(request.slice(0, at))
    ? parseChunks(request, at).data
    : request.slice(at);
}

/** The values of a field. */
export function valuesOf(fields: readonly string[], name: string): string[] {
  return pairsOf(fields).filter(([each]) => each.toLowerCase() === name)
    .map(([, value]) => value);
}

function pairsOf(fields: readonly string[]): [string, string][] {
  return Array.from(
    { length: fields.length / 2 },
    (_, i) => [fields[2 * i]!, fields[2 * i + 1]!],
  );
}
