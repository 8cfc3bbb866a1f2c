/**
 * A Headrace with a cache on disk is killed in the midst of its writes, again
 * and again: what it serves afterwards is whole, and nothing that was purged.
 *
 * `HEADRACE_CACHE_KILLS` sets how often.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { sameBytes } from "../support/stored_bodies.ts";

const KILLS = Number(Deno.env.get("HEADRACE_CACHE_KILLS") ?? "200");
const PATHS = 500;
const CLIENTS = 8;

/** Bytes of a body: most are small, some have files of their own. */
function sizeOf(path: number): number {
  if (path % 25 === 0) return 300_000 + path * 1_000;
  return path % 5 === 0 ? 20_000 + path * 100 : path * 11;
}

/** Bytes that tell of their path, version and place. */
function bodyOf(path: number, version: number): Uint8Array<ArrayBuffer> {
  const size = sizeOf(path);
  const words = new Int32Array(Math.ceil(size / 4));
  const seed = Math.imul(path * 7919 + version, 2_654_435_761);
  for (let i = 0; i < words.length; i++) {
    words[i] = Math.imul(seed ^ i, 1_597_334_677) + i;
  }
  return new Uint8Array(words.buffer, 0, size);
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

Deno.test(`${KILLS} kills leave no torn object and bring no purged one back`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  let version = 0;
  await using backend = serveHttpBackend(({ url, method }) => {
    const path = Number(new URL(url).pathname.slice(1));
    version++;
    return new Response(method === "GET" ? bodyOf(path, version) : null, {
      headers: {
        "cache-control": "max-age=86400",
        "cache-tag": `t${path % 50}`,
        "x-version": `${version}`,
      },
    });
  });
  const [port, admin] = freePorts(2) as [number, number];
  const config = `${folder}/proxy.yaml`;
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
      clusters: [{ name: "main", backends: [{ url: backend.url }] }],
      cache: {
        memory: "512KiB",
        disk: { path: "./cache", size: "12MiB" },
        purgeFrom: ["127.0.0.1"],
      },
      admin: { address: `127.0.0.1:${admin}` },
      workers: 1,
    }),
  );
  const seen = {
    kills: 0,
    answers: 0,
    hits: 0,
    /** Of these, what an earlier process stored. */
    survivors: 0,
    purges: 0,
    brokenOff: 0,
    wrong: [] as string[],
    back: [] as string[],
  };
  /** Versions up to this one of a path were purged, and that was answered. */
  const purged = new Map<number, number>();
  const purgedTags = new Map<number, number>();

  const ask = async (process: { over: boolean; first: number }) => {
    const client = await HttpClient.connect(port);
    try {
      while (!process.over) {
        const path = Math.min(random(PATHS), random(PATHS * 2));
        const kind = random(100);
        const before = version;
        if (kind < 2) {
          const url = `http://127.0.0.1:${admin}/api/cache/purge`;
          const tag = path % 50;
          const response = await fetch(url, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ tag: `t${tag}` }),
          });
          await response.body?.cancel();
          assertEquals(response.status, 200);
          purgedTags.set(tag, Math.max(before, purgedTags.get(tag) ?? 0));
          seen.purges++;
          continue;
        }
        const method = kind < 4 ? "PURGE" : kind < 5 ? "DELETE" : "GET";
        const forgotten = Math.max(
          purged.get(path) ?? 0,
          purgedTags.get(path % 50) ?? 0,
        );
        await client.send(
          `${method} /${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`,
        );
        const { status, headers, body } = await client.response();
        if (method !== "GET") {
          // 404: there was nothing to purge.
          assert(status === 200 || status === 404, `${method} ${status}`);
          purged.set(path, Math.max(before, purged.get(path) ?? 0));
          seen.purges++;
          continue;
        }
        seen.answers++;
        const own = Number(headers.get("x-version"));
        if (status !== 200 || !sameBytes(body, bodyOf(path, own))) {
          seen.wrong.push(`/${path} ${status} v${own} ${body.length}`);
        }
        if (headers.get("cache-status")?.includes("; hit") !== true) continue;
        seen.hits++;
        if (own <= process.first) seen.survivors++;
        if (own <= forgotten) {
          seen.back.push(`/${path} v${own} <= ${forgotten}`);
        }
      }
    } catch (thrown) {
      // The end of the process is the end of its connections.
      if (!process.over) {
        seen.brokenOff++;
        console.log(thrown);
      }
    } finally {
      client.close();
    }
  };

  try {
    for (; seen.kills < KILLS; seen.kills++) {
      await using headrace = startHeadrace(["--config", config]);
      for (const wanted of [port, admin]) {
        await eventually("a listener", async () => {
          try {
            const hostname = "127.0.0.1";
            (await Deno.connect({ port: wanted, hostname })).close();
            return true;
          } catch {
            return false;
          }
        }, 60_000);
      }
      // Some die while they still read what is on disk.
      if (seen.kills % 4 > 0) await headrace.wrote("disk is in use");
      const process = { over: false, first: version };
      const clients = Array.from({ length: CLIENTS }, () => ask(process));
      await new Promise((resolve) => setTimeout(resolve, 50 + random(800)));
      process.over = true;
      headrace.kill("SIGKILL");
      await headrace.code;
      await Promise.all(clients);
      const line = headrace.stderr.split("\n").filter((line) =>
        /"(warn|error)"/.test(line)
      );
      if (line.length > 0) console.log(line.join("\n"));
      if (seen.kills % 20 === 19) {
        console.log({ ...seen, asked: backend.requests });
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  console.log({ ...seen, asked: backend.requests });
  assertEquals([seen.wrong, seen.back, seen.brokenOff], [[], [], 0]);
  assert(seen.survivors > 0 || KILLS < 5);
});
