import { assert, assertEquals } from "@std/assert";
import type { Purge } from "../../../core/cache/store.ts";
import {
  askCachePeers,
  CacheChannels,
  type CacheNotice,
  cacheTold,
} from "../../../core/supervisor/cache_channels.ts";
import type { Port } from "../../../core/supervisor/rpc.ts";

/** A worker that notes what it is told; what it tells goes to `channels` as from the worker of this number. */
function worker(channels?: CacheChannels, number = 0) {
  let hear: (event: MessageEvent) => void = () => {};
  const peers = new Map<number, MessagePort>();
  const told: string[] = [];
  const port: Port = {
    postMessage: (message) =>
      channels?.told(number, cacheTold(message as object)!),
    addEventListener: (_, listener) => hear = listener,
  };
  const purges: Purge[] = [];
  const does = { purges: true };
  const { listen, owe } = askCachePeers(port);
  listen({
    heard(other, port) {
      told.push(`${other} ${port === undefined ? "gone" : "there"}`);
      peers.get(other)?.close();
      peers.delete(other);
      if (port !== undefined) peers.set(other, port);
    },
    purge(purge) {
      purges.push(purge);
      return Promise.resolve(does.purges);
    },
  });
  const send = (data: CacheNotice) => {
    hear(new MessageEvent("message", { data }));
  };
  return { peers, told, send, purges, does, owe };
}

Deno.test("each two workers get the ends of one channel, again where one is replaced", async () => {
  const channels = new CacheChannels();
  const [a, b, c] = [worker(), worker(), worker()];
  channels.join(0, a.send);
  channels.join(1, b.send);
  channels.join(2, c.send);
  assertEquals(a.told, ["1 there", "2 there"]);
  assertEquals(b.told, ["0 there", "2 there"]);
  assertEquals(c.told, ["0 there", "1 there"]);
  const heard = new Promise((resolve) => {
    c.peers.get(0)!.onmessage = ({ data }) => resolve(data);
  });
  a.peers.get(2)!.postMessage("hello");
  assertEquals(await heard, "hello");

  channels.leave(1);
  channels.leave(1);
  assertEquals(a.told.at(-1), "1 gone");
  assertEquals(c.told.at(-1), "1 gone");
  const again = worker();
  channels.join(1, again.send);
  assertEquals(again.told, ["0 there", "2 there"]);
  assert(a.peers.has(1) && c.peers.has(1));
  assertEquals(a.told.length, 4);
  for (const { peers } of [a, b, c, again]) {
    for (const port of peers.values()) port.close();
  }
});

Deno.test("a purge that a worker could not be told of is told to it, and to the next ones until one has done it", async () => {
  const channels = new CacheChannels();
  const purge: Purge = { kind: "url", url: "http://a/" };
  const a = worker(channels, 0);
  channels.join(0, a.send);
  a.owe(1, purge);
  channels.leave(0);
  const failing = worker(channels, 1);
  failing.does.purges = false;
  channels.join(1, failing.send);
  assertEquals(failing.purges, [purge]);
  await Promise.resolve();
  channels.leave(1);
  const b = worker(channels, 1);
  channels.join(1, b.send);
  assertEquals(b.purges, [purge]);
  // One that is there, as it does not answer.
  const other: Purge = { kind: "tag", tag: "t" };
  a.owe(1, other);
  assertEquals(b.purges, [purge, other]);
  await Promise.resolve();
  channels.leave(1);
  const last = worker(channels, 1);
  channels.join(1, last.send);
  assertEquals(last.purges, []);
  assertEquals(a.purges, []);
});

Deno.test("of many purges that a worker could not be told of nothing is left but all", () => {
  const channels = new CacheChannels();
  const a = worker(channels, 0);
  for (let i = 0; i < 257; i++) a.owe(1, { kind: "url", url: `http://a/${i}` });
  a.owe(1, { kind: "url", url: "http://a/" });
  const b = worker(channels, 1);
  channels.join(1, b.send);
  assertEquals(b.purges, [{ kind: "all" }, { kind: "url", url: "http://a/" }]);
});
