/**
 * What memory a proxy takes for connections that have made a request and rest.
 *
 * @module
 */
import { residentBytes } from "../process_stat.ts";
import type { IdleCase } from "./cases.ts";
import { probe } from "./probe.ts";
import type { Proxy } from "./programs.ts";
import type { Sample } from "./sample.ts";
import { drive } from "./wrk.ts";

/** How many there are: enough that the heap's own steps matter little. */
const CONNECTIONS = 4_000;

/** How many are opened at a time. */
const AT_ONCE = 50;

/** They are to rest for a second; what looks after them may do so once a second. */
const REST = 2_500;

/** One measurement of a proxy that has just been started. */
export async function measureIdle(
  proxy: Proxy,
  { request, body }: IdleCase,
  folder: string,
): Promise<Sample> {
  const port = proxy.ports.plain;
  const { length } = await probe({ port, request, body });
  const file = `${folder}/request`;
  await Deno.writeTextFile(file, request);
  const url = `http://127.0.0.1:${port}/`;
  // What the program takes for itself once it works is not a connection's.
  await drive({ url, request: file, connections: AT_ONCE, seconds: 1 });
  await new Promise((resolve) => setTimeout(resolve, REST));
  const before = await residentBytes(proxy.pid);
  const bytes = new TextEncoder().encode(request);
  const conns: Deno.Conn[] = [];
  let wrong = 0;
  try {
    for (let i = 0; i < CONNECTIONS; i += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        conns.push(conn);
        if (!await asks(conn, bytes, length)) wrong++;
      }));
    }
    await new Promise((resolve) => setTimeout(resolve, REST));
    const grown = await residentBytes(proxy.pid) - before;
    return {
      cost: grown / CONNECTIONS / 1e3,
      problems: wrong > 0 ? [`${wrong} wrong answers`] : [],
    };
  } finally {
    for (const conn of conns) conn.close();
  }
}

/** Whether a request got an answer of status 200 and that length. */
async function asks(
  conn: Deno.Conn,
  request: Uint8Array,
  length: number,
): Promise<boolean> {
  await conn.write(request);
  const buffer = new Uint8Array(length + 1);
  let held = 0;
  while (held < length) {
    const count = await conn.read(buffer.subarray(held));
    if (count === null) return false;
    held += count;
  }
  const status = new TextDecoder().decode(buffer.subarray(9, 12));
  return held === length && status === "200";
}
