/**
 * Makes a TLS connection for each request, each with a full handshake: wrk
 * resumes its sessions, Deno's clients know nothing of each other's. A process of
 * its own; gets its task as JSON in its first argument, writes what it counted
 * as JSON.
 *
 * @module
 */
import type { Driven } from "./wrk.ts";

/** What it is to do. */
export interface HandshakesTask {
  readonly port: number;
  /** PEM of the authority. */
  readonly ca: string;
  readonly request: string;
  /** Bytes of each answer, its head counted. */
  readonly length: number;
  /** Connections at a time. */
  readonly connections: number;
  readonly seconds: number;
}

const STATUS = "HTTP/1.1 200 ";

async function run(task: HandshakesTask): Promise<Driven> {
  const request = new TextEncoder().encode(task.request);
  const failures: Record<string, number> = {};
  let requests = 0;
  let bytes = 0;
  const started = performance.now();
  const until = started + task.seconds * 1_000;
  const client = async () => {
    const buffer = new Uint8Array(task.length + 1);
    while (performance.now() < until) {
      try {
        const held = await ask(task, request, buffer);
        requests++;
        bytes += held;
        if (decode(buffer.subarray(0, STATUS.length)) !== STATUS) {
          count(failures, "status");
        }
      } catch (thrown) {
        count(failures, (thrown as Error).name);
      }
    }
  };
  await Promise.all(Array.from({ length: task.connections }, client));
  const seconds = (performance.now() - started) / 1_000;
  return { seconds, requests, bytes, failures };
}

/** One connection and one request on it; how long the answer was. */
async function ask(
  { port, ca }: HandshakesTask,
  request: Uint8Array,
  buffer: Uint8Array,
): Promise<number> {
  const options = { hostname: "127.0.0.1", port, caCerts: [ca] };
  using conn = await Deno.connectTls(options);
  await conn.write(request);
  let held = 0;
  // One byte more than expected would be seen.
  while (held < buffer.length - 1) {
    const count = await conn.read(buffer.subarray(held));
    if (count === null) break;
    held += count;
  }
  return held;
}

function count(failures: Record<string, number>, kind: string): void {
  failures[kind] = (failures[kind] ?? 0) + 1;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(JSON.parse(Deno.args[0]!))));
}
