/**
 * Clients that send what they are given, some of which leave at once, and what
 * they got.
 *
 * @module
 */
import { writeAll } from "../../support/byte_streams.ts";
import { latin1Bytes, latin1Text } from "../../support/latin1.ts";
import { fieldValues, parseResponses } from "../../support/raw_responses.ts";
import { type Closed, type Decisions, visitName } from "./decisions.ts";

/** What one client does. */
export interface Script {
  readonly text: string;
  /** How the text is cut into writes. */
  readonly pieces: readonly string[];
  /** After so many pieces it resets or closes and reads nothing. */
  readonly leaves: number | undefined;
}

/** What came of it. */
export interface Visit {
  readonly script: Script;
  readonly received: string;
}

/** Clients at work at once: connections to the backend change hands among them. */
const LANES = 16;

/** Plays all scripts against a port; the visits by their names. */
export async function visitAll(
  port: number,
  scripts: readonly Script[],
): Promise<Map<string, Visit>> {
  const visits = new Map<string, Visit>();
  const uses = new Map<number, number>();
  const queue = scripts.values();
  const lane = async () => {
    for (const script of queue) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      const name = visitName((conn.localAddr as Deno.NetAddr).port, uses);
      visits.set(name, { script, received: await play(conn, script) });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return visits;
}

async function play(conn: Deno.TcpConn, script: Script): Promise<string> {
  conn.setNoDelay(true);
  const { pieces, leaves } = script;
  if (leaves !== undefined) {
    await send(conn, pieces.slice(0, leaves));
    conn.close();
    return "";
  }
  const [received] = await Promise.all([
    receive(conn),
    send(conn, pieces, true),
  ]);
  conn.close();
  return received;
}

async function send(
  conn: Deno.TcpConn,
  pieces: readonly string[],
  end = false,
): Promise<void> {
  try {
    for (const piece of pieces) await writeAll(conn, latin1Bytes(piece));
    if (end) await conn.closeWrite();
  } catch (thrown) {
    // A proxy that has refused takes no more: what it answered counts.
    if (!isGone(thrown)) throw thrown;
  }
}

async function receive(conn: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(64 << 10);
  let received = "";
  try {
    for (;;) {
      const count = await conn.read(buffer);
      if (count === null) return received;
      received += latin1Text(buffer.subarray(0, count));
    }
  } catch (thrown) {
    if (!isGone(thrown)) throw thrown;
    return received;
  }
}

function isGone(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.ConnectionReset ||
    thrown instanceof Deno.errors.BrokenPipe ||
    thrown instanceof Deno.errors.NotConnected;
}

/** What clients got that Headrace has not decided to answer, or that is another client's, in words. */
export function strayResponses(
  decisions: Decisions,
  visits: ReadonlyMap<string, Visit>,
): string[] {
  const byVisit = Map.groupBy(decisions.closed, ({ visit }) => visit);
  const owners = new Map(decisions.sent.map(({ number, transaction }) => [
    String(number),
    transaction,
  ]));
  const problems: string[] = [];
  for (const [name, { script, received }] of visits) {
    if (script.leaves !== undefined) continue;
    const transactions = byVisit.get(name) ?? [];
    const answered = transactions.filter(({ status }) =>
      status !== 0 && status !== 499
    );
    const methods = answered.map(({ method }) => method ?? "GET");
    const { responses, rest } = parseResponses(received, methods);
    const finals = responses.filter(({ status }) => status >= 200);
    const got = JSON.stringify(finals.map(({ status }) => status));
    const wanted = JSON.stringify(answered.map(({ status }) => status));
    const ids = new Set(transactions.map(({ id }) => id));
    const foreign = finals.flatMap(({ head }) =>
      fieldValues(head, "x-recorded")
    )
      .filter((number) => !ids.has(owners.get(number) ?? ""));
    if (got !== wanted || rest !== "" || foreign.length > 0) {
      problems.push(
        `got ${got} ${
          JSON.stringify(rest)
        } instead of ${wanted}, of others ${foreign} for ${
          JSON.stringify(script.text)
        }`,
      );
    }
  }
  return problems;
}

/** How often each status was answered, for people. */
export function statusesOf(closed: readonly Closed[]): string {
  const counts = Map.groupBy(closed, ({ status }) => status);
  return [...counts].toSorted(([a], [b]) => a - b)
    .map(([status, those]) => `${status} × ${those.length}`).join(", ");
}
