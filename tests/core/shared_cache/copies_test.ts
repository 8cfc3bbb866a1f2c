import { assert, assertEquals } from "@std/assert";
import { Asker } from "../../../core/shared_cache/asker.ts";
import { Copies } from "../../../core/shared_cache/copies.ts";
import { OwnerMemory } from "../../../core/shared_cache/owner_memory.ts";
import { Pins } from "../../../core/shared_cache/pins.ts";
import { RemoteEntry } from "../../../core/shared_cache/remote_entry.ts";
import { FakeClock } from "../../support/clock.ts";
import { headOf } from "../cache/heads.ts";

/** An owner that is there, and its memory. */
function owner() {
  const memory = new OwnerMemory();
  const asker = new Asker(() => {}, new FakeClock(), () => []);
  asker.told({ tell: "hello", memory: memory.buffer });
  return { memory, asker };
}

function found(key: string, asker: Asker, version: number, size = 10) {
  const bytes = new Uint8Array(size);
  const wire = { head: headOf([["etag", key]]), size, ref: 0 };
  return { entries: [new RemoteEntry(key, wire, bytes, asker)], version };
}

Deno.test("a copy holds until its slot, or all of its owner's, was changed", () => {
  const { memory, asker } = owner();
  const copies = new Copies(1 << 20);
  const slot = memory.slotOf("http://a/1");
  const add = () => {
    const told = found("http://a/1", asker, memory.versionAt(slot));
    copies.add("http://a/1", told, asker, slot);
    return told;
  };
  const told = add();
  assert(copies.get("http://a/1") === told);
  memory.change((slot % 1000) + 3);
  assert(copies.get("http://a/1") === told);
  memory.change(slot);
  assertEquals(copies.get("http://a/1"), undefined);
  assertEquals([copies.size, copies.bytes], [0, 0]);
  add();
  memory.changeAll();
  assertEquals(copies.get("http://a/1"), undefined);
  add();
  asker.lose();
  assertEquals(copies.get("http://a/1"), undefined);
});

Deno.test("what was told before a change is no copy from the start", () => {
  const { memory, asker } = owner();
  const copies = new Copies(1 << 20);
  const slot = memory.slotOf("k");
  const before = memory.versionAt(slot);
  memory.change(slot);
  copies.add("k", found("k", asker, before), asker, slot);
  assertEquals(copies.get("k"), undefined);
});

Deno.test("copies stay within their bound, those of an owner that is gone go", () => {
  const one = owner();
  const other = owner();
  const copies = new Copies(100_000);
  for (let i = 0; i < 300; i++) {
    const { memory, asker } = i % 2 === 0 ? one : other;
    const key = `http://a/${i}`;
    const slot = memory.slotOf(key);
    const told = found(key, asker, memory.versionAt(slot), i * 10);
    copies.add(key, told, asker, slot);
    assert(copies.bytes <= 100_000);
  }
  assert(copies.size > 20 && copies.size < 60, `${copies.size}`);
  // Too large to be worth its room.
  const slot = one.memory.slotOf("large");
  const large = found("large", one.asker, one.memory.versionAt(slot), 20_000);
  copies.add("large", large, one.asker, slot);
  assertEquals(copies.get("large"), undefined);
  copies.dropOf(one.asker);
  for (let i = 0; i < 300; i += 2) {
    assertEquals(copies.get(`http://a/${i}`), undefined);
  }
  copies.dropOf(other.asker);
  assertEquals([copies.size, copies.bytes], [0, 0]);
});

Deno.test("all keys of a URL have one slot", () => {
  const memory = new OwnerMemory();
  assertEquals(
    memory.slotOf("http://a/1\tcookie.x=1"),
    memory.slotOf("http://a/1"),
  );
  const slots = new Set<number>();
  for (let i = 0; i < 2_000; i++) slots.add(memory.slotOf(`http://a/${i}`));
  // As even as chance has it: 2,000 of 16,384.
  assert(slots.size > 1_820, `${slots.size}`);
});

Deno.test("pins keep an entry for some seconds, once however often it is told of", () => {
  const clock = new FakeClock();
  const pins = new Pins(clock);
  const entry = found("k", owner().asker, 0).entries[0]!;
  const number = pins.pin(entry);
  assertEquals(pins.pin(entry), number);
  clock.advance(9_000);
  assert(pins.get(number) === entry);
  assert(pins.pin(entry) !== number);
  clock.advance(12_000);
  assertEquals(pins.get(number), undefined);
  assertEquals(clock.pending, 0);
});
