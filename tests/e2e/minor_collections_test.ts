import { assert } from "@std/assert";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import { serveNamed } from "../support/named_backend.ts";

/** Requests, one after another: some 12 MB of what lives for one of them. */
const REQUESTS = 3_000;

/** `Scavenge 9.1 (11.2) -> 8.2 (11.2) MB`: before and after one. */
const SCAVENGE = /Scavenge ([\d.]+) \([\d.]+\) -> ([\d.]+) /g;

Deno.test("memory: what a transaction needed does not outlive minor collections", async () => {
  await using backend = serveNamed("one");
  const [port] = freePorts(1);
  const dir = await Deno.makeTempDir();
  const config = `${dir}/headrace.yaml`;
  await Deno.writeTextFile(
    config,
    `listeners: [{ name: web, address: "127.0.0.1:${port}" }]
clusters: [{ name: one, backends: [{ url: "${backend.url}" }] }]
workers: 1
`,
  );
  await using proxy = startHeadrace(["--config", config], {
    denoOptions: [
      "--no-check",
      "--v8-flags=--trace-gc,--semi-space-growth-factor=1,--max-semi-space-size=1",
    ],
  });
  await proxy.wrote("Headrace serves");
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: port! });
  const buffer = new Uint8Array(4096);
  const request = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const ask = async (times: number) => {
    for (let i = 0; i < times; i++) {
      await conn.write(request);
      await conn.read(buffer);
    }
  };
  await ask(REQUESTS);
  const warm = proxy.stdout.length;
  await ask(REQUESTS);
  conn.close();
  const sizes = proxy.stdout.slice(warm).matchAll(SCAVENGE)
    .map(([, before, after]) => [Number(before), Number(after)] as const)
    .toArray();
  let allocated = 0;
  let kept = 0;
  for (const [i, [before, after]] of sizes.entries()) {
    const last = sizes[i - 1]?.[1];
    // A full collection in between.
    if (last === undefined || before < last) continue;
    allocated += before - last;
    kept += after - last;
  }
  assert(sizes.length > 5, `Only ${sizes.length} minor collections`);
  // 13 % were kept, heads, attempts and all, while each transaction's closure
  // lay in a field of its connection, which an object does not do.
  assert(
    kept < allocated * 0.06,
    `${kept.toFixed(1)} MB of ${allocated.toFixed(1)} MB were kept`,
  );
  await Deno.remove(dir, { recursive: true });
});
