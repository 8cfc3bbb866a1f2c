import { assert, assertEquals } from "@std/assert";
import {
  askCachePeers,
  CacheChannels,
  type CachePeerNotice,
} from "../../../core/supervisor/cache_channels.ts";
import type { Port } from "../../../core/supervisor/rpc.ts";

/** A worker that notes whom it is told of. */
function worker() {
  let hear: (event: MessageEvent) => void = () => {};
  const peers = new Map<number, MessagePort>();
  const told: string[] = [];
  const port: Port = {
    postMessage() {},
    addEventListener: (_, listener) => hear = listener,
  };
  askCachePeers(port)((other, port) => {
    told.push(`${other} ${port === undefined ? "gone" : "there"}`);
    peers.get(other)?.close();
    peers.delete(other);
    if (port !== undefined) peers.set(other, port);
  });
  const send = (data: CachePeerNotice) => {
    hear(new MessageEvent("message", { data }));
  };
  return { peers, told, send };
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
