import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { NOWHERE, type Placed, Roster } from "../../../core/net/roster.ts";

class Member implements Placed {
  place = NOWHERE;
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }
}

function numbers(members: Iterable<Member>): number[] {
  return Array.from(members, ({ number }) => number).sort((a, b) => a - b);
}

Deno.test("Roster: holds what a Set would", () => {
  const step = fc.record({
    what: fc.constantFrom("add", "delete"),
    who: fc.nat(7),
  });
  fc.assert(fc.property(fc.array(step), (steps) => {
    const all = Array.from({ length: 8 }, (_, i) => new Member(i));
    const roster = new Roster<Member>();
    const set = new Set<Member>();
    for (const { what, who } of steps) {
      const one = all[who]!;
      if (what === "add") {
        roster.add(one);
        set.add(one);
      } else assertEquals(roster.delete(one), set.delete(one));
      assertEquals(roster.size, set.size);
      assertEquals(numbers(roster), numbers(set));
    }
  }));
});

Deno.test("Roster: who walks through it meets all that stay, whoever leaves or comes meanwhile", () => {
  const leaving = fc.array(fc.tuple(fc.nat(7), fc.nat(7)));
  fc.assert(fc.property(leaving, (pairs) => {
    const all = Array.from({ length: 8 }, (_, i) => new Member(i));
    const roster = new Roster<Member>();
    for (const one of all) roster.add(one);
    const met = new Set<number>();
    let late = 8;
    for (const one of roster) {
      assertEquals(one.place === NOWHERE, false);
      met.add(one.number);
      for (const [at, who] of pairs) {
        if (at !== one.number) continue;
        roster.delete(all[who]!);
        roster.add(new Member(late++));
      }
    }
    for (const { number } of roster) {
      if (number < 8) assertEquals(met.has(number), true);
    }
  }));
});
