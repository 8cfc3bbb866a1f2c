import { assert } from "@std/assert";
import { withV8Flags } from "../support/v8_flags.ts";

/** `Scavenge 9.1 (11.2) -> 8.2 (11.2) MB`: before and after one. */
const SCAVENGE = /Scavenge ([\d.]+) \([\d.]+\) -> ([\d.]+) /g;

/** The share of what is allocated that minor collections keep, while a client asks. */
async function kept(
  requests: number,
  ask: (port: number, times: number) => Promise<void>,
): Promise<number> {
  const flags = ["--trace-gc", "--max-semi-space-size=1"];
  const told = await withV8Flags({ flags }, async (proxy, port) => {
    await ask(port, requests);
    const warm = proxy.stdout.length;
    await ask(port, requests);
    return proxy.stdout.slice(warm);
  });
  const sizes = told.matchAll(SCAVENGE)
    .map(([, before, after]) => [Number(before), Number(after)] as const)
    .toArray();
  assert(sizes.length > 10, `Only ${sizes.length} minor collections`);
  let allocated = 0;
  let survived = 0;
  for (const [i, [before, after]] of sizes.entries()) {
    const last = sizes[i - 1]?.[1];
    // A full collection in between.
    if (last === undefined || before < last) continue;
    allocated += before - last;
    survived += after - last;
  }
  return survived / allocated;
}

const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

Deno.test("memory: what a transaction needed does not outlive minor collections", async () => {
  const share = await kept(3_000, async (port, times) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const buffer = new Uint8Array(4096);
    for (let i = 0; i < times; i++) {
      await conn.write(REQUEST);
      await conn.read(buffer);
    }
  });
  // 0.2 where a function literal was assigned to a property (lint's
  // no-old-closures).
  assert(share < 0.04, `${(share * 100).toFixed(1)} % were kept`);
});

Deno.test("memory: nor does what a session needed", async () => {
  const share = await kept(2_500, async (port, times) => {
    const buffer = new Uint8Array(4096);
    for (let i = 0; i < times; i++) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(REQUEST);
      await conn.read(buffer);
    }
  });
  // 0.14 in the same way and by Sets of what comes and goes.
  assert(share < 0.04, `${(share * 100).toFixed(1)} % were kept`);
});
