/**
 * A start with a million objects on disk: how long until they are found, what
 * that takes, and what clients notice of it.
 *
 * `HEADRACE_CACHE_OBJECTS` sets how many there are.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { openStore } from "../support/disk_stores.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { bodyOf, sameBytes, seededHead } from "../support/stored_bodies.ts";

const OBJECTS = Number(Deno.env.get("HEADRACE_CACHE_OBJECTS") ?? "1000000");
const BODY = 600;

function pathOf(i: number): string {
  return `/catalogue/products/${i}/pictures/large-${i % 97}.jpeg?v=${i % 7}`;
}

Deno.test(`${OBJECTS} objects are found again within seconds`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  await using backend = serveHttpBackend(() => new Response("backend"));
  const [port, admin] = freePorts(2) as [number, number];
  try {
    const size = 64 * 2 ** 30;
    const store = await openStore(`${folder}/cache`, {
      capacity: size,
      delay: 20,
    });
    const began = performance.now();
    const body = bodyOf(1, BODY);
    let waiting: unknown[] = [];
    for (let i = 0; i < OBJECTS; i++) {
      const key = `http://localhost${pathOf(i)}`;
      const head = {
        ...seededHead(i, BODY, { scope: "main", tags: [`p${i % 1000}`] }),
        requestedAt: Date.now(),
        receivedAt: Date.now(),
        fields: [
          ["date", new Date().toUTCString()],
          ["content-type", "image/jpeg"],
          ["cache-control", "public, max-age=864000"],
          ["etag", `"${i}"`],
          ["x-seed", `${i}`],
        ] as const,
      };
      const writer = store.begin(key, head, BODY)!;
      writer.append(body);
      waiting.push(writer.commit(head, []));
      if (waiting.length < 20_000) continue;
      await Promise.all(waiting);
      waiting = [];
    }
    await Promise.all(waiting);
    await store.close();
    const wrote = (performance.now() - began) / 1000;

    const config = `${folder}/proxy.yaml`;
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
        clusters: [{ name: "main", backends: [{ url: backend.url }] }],
        cache: { disk: { path: "./cache", size } },
        admin: { address: `127.0.0.1:${admin}` },
        workers: 1,
      }),
    );
    await using headrace = startHeadrace(["--config", config]);
    let client: HttpClient | undefined;
    await eventually("a listener", async () => {
      try {
        client = await HttpClient.connect(port);
        return true;
      } catch {
        return false;
      }
    }, 30_000);
    using asking = client!;
    const rssFirst = await memoryOf(headrace.pid);
    const cpuFirst = await cpuOf(headrace.pid);
    // What clients notice while the journals are read.
    let slowest = 0;
    let answers = 0;
    while (!headrace.stderr.includes("disk is in use")) {
      const asked = performance.now();
      await asking.get(`/other/${answers++}`);
      slowest = Math.max(slowest, performance.now() - asked);
    }
    const { entries, milliseconds } = JSON.parse(
      headrace.stderr.split("\n").find((line) => line.includes("is in use"))!,
    );
    const cpu = await cpuOf(headrace.pid) - cpuFirst;
    const rss = await memoryOf(headrace.pid);
    assertEquals(entries, OBJECTS);

    const hits: number[] = [];
    for (let i = 0; i < 300; i++) {
      const asked = performance.now();
      const { body: got, headers } = await asking.get(
        pathOf(Math.floor(Math.random() * OBJECTS)),
      );
      hits.push(performance.now() - asked);
      assert(headers.get("cache-status")?.includes("hit"));
      assert(sameBytes(got, body));
    }
    const began2 = performance.now();
    const response = await fetch(`http://127.0.0.1:${admin}/api/cache/purge`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ tag: "p5" }),
    });
    const { purged } = await response.json();
    const purge = performance.now() - began2;
    assertEquals(purged, Math.ceil((OBJECTS - 5) / 1000));
    console.log({
      objects: entries,
      "written in s": wrote.toFixed(1),
      "read in s": (milliseconds / 1000).toFixed(2),
      "CPU of that in s": cpu.toFixed(2),
      "answers meanwhile": answers,
      "slowest of them in ms": slowest.toFixed(1),
      "MB resident before and after": [rssFirst, rss],
      "disk hit in ms, median": hits.sort((a, b) => a - b)[150]!.toFixed(2),
      "purge by tag in ms": purge.toFixed(0),
    });
    // The machine may be slow or busy: what counts is that it is not minutes.
    assert(cpu < OBJECTS / 1e6 * 10 + 1, `${cpu} s of CPU`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function memoryOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024);
}

/** Seconds; the clock of the kernel ticks 100 times in one. */
async function cpuOf(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")")).split(" ");
  return (Number(fields[12]) + Number(fields[13])) / 100;
}
