/** Every case of http1_cases.json against a running Headrace over real sockets, however the bytes are cut. */
import { assertEquals } from "../support/assert.ts";
import { http1Cases } from "./cases.ts";
import { matchesStatuses } from "./judge.ts";
import { meetCases } from "./meet_cases.ts";

Deno.test("http1: every case is met over real sockets, however it is cut", async () => {
  const cases = await http1Cases();
  assertEquals(cases.length, 158);
  await meetCases("HTTP/1.1 cases of http1_cases.json", cases);
});

Deno.test("matchesStatuses() lets only optional elements be missing", () => {
  assertEquals(matchesStatuses(["200|", "408|"], ["408"]), true);
  assertEquals(matchesStatuses(["200|", "408|"], []), true);
  assertEquals(matchesStatuses(["200", "408|"], ["408"]), false);
  assertEquals(matchesStatuses(["200"], ["200", "200"]), false);
  assertEquals(matchesStatuses(["400|413"], ["413"]), true);
});
