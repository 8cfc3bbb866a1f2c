import { interleave, race } from "../../../core/connect/race.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import type { SocketAddress } from "../../../core/plugin.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

const at = (address: string): SocketAddress => ({ address, port: 1 });

/** A race whose addresses answer when a test says so. */
function scripted(...addresses: string[]) {
  const clock = new FakeClock();
  const tries = new Map<string, PromiseWithResolvers<string>>();
  const aborted: string[] = [];
  const discarded: string[] = [];
  const won = race(addresses.map(at), {
    deadlines: new Deadlines(clock),
    connect({ address }, signal) {
      const answer = Promise.withResolvers<string>();
      tries.set(address, answer);
      signal.addEventListener("abort", () => aborted.push(address));
      return answer.promise;
    },
    discard: (connection) => discarded.push(connection),
  });
  won.catch(() => {});
  const tick = async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  return {
    clock,
    won,
    aborted,
    discarded,
    tried: () => [...tries.keys()],
    async opens(address: string) {
      tries.get(address)!.resolve(`to ${address}`);
      await tick();
    },
    async fails(address: string) {
      tries.get(address)!.reject(new Error(`no ${address}`));
      await tick();
    },
  };
}

Deno.test("race: one that fails makes room for the next at once", async () => {
  const r = scripted("10.0.0.1", "10.0.0.2");
  assertEquals(r.tried(), ["10.0.0.1"]);
  await r.fails("10.0.0.1");
  assertEquals(r.tried(), ["10.0.0.1", "10.0.0.2"]);
  await r.opens("10.0.0.2");
  const { connection, remote } = await r.won;
  assertEquals([connection, remote], ["to 10.0.0.2", at("10.0.0.2")]);
  assertEquals(r.clock.pending, 0);
});

Deno.test("race: one that takes long goes on beside the next, and may still win", async () => {
  const r = scripted("10.0.0.1", "10.0.0.2");
  r.clock.advance(200);
  assertEquals(r.tried(), ["10.0.0.1"]);
  r.clock.advance(250);
  assertEquals(r.tried(), ["10.0.0.1", "10.0.0.2"]);
  await r.opens("10.0.0.1");
  assertEquals((await r.won).remote, at("10.0.0.1"));
  assertEquals(r.aborted, ["10.0.0.2"]);
});

Deno.test("race: a connection that comes after the first one is ended", async () => {
  const r = scripted("10.0.0.1", "10.0.0.2");
  r.clock.advance(450);
  await r.opens("10.0.0.2");
  await r.opens("10.0.0.1");
  assertEquals((await r.won).remote, at("10.0.0.2"));
  assertEquals(r.discarded, ["to 10.0.0.1"]);
});

Deno.test("race: the last failure is told once all have failed", async () => {
  const r = scripted("10.0.0.1", "10.0.0.2");
  r.clock.advance(450);
  await r.fails("10.0.0.2");
  assertEquals(r.clock.pending, 1);
  await r.fails("10.0.0.1");
  await assertRejects(() => r.won, Error, "no 10.0.0.1");
  assertEquals(r.clock.pending, 0);
});

Deno.test("interleave: the families take turns, the resolver's first family first", () => {
  const order = (...addresses: string[]) =>
    interleave(addresses.map(at)).map(({ address }) => address);
  assertEquals(order("::1", "::2", "::3", "10.1.1.1"), [
    "::1",
    "10.1.1.1",
    "::2",
    "::3",
  ]);
  assertEquals(order("10.1.1.1", "::1", "::2", "::3"), [
    "10.1.1.1",
    "::1",
    "::2",
    "::3",
  ]);
  assertEquals(order("10.1.1.1", "10.1.1.2"), ["10.1.1.1", "10.1.1.2"]);
});
