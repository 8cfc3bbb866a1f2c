/** Our own cases against a running Headrace over real sockets, however the bytes are cut. */
import { assertEquals } from "../support/assert.ts";
import { meetCases } from "./meet_cases.ts";
import { OWN_CASES } from "./own/all.ts";

Deno.test("http1: every case of our own is met over real sockets, however it is cut", async () => {
  await meetCases("HTTP/1.1 cases of our own", OWN_CASES);
});

Deno.test("http1: every case of our own has an id of its own", () => {
  const ids = OWN_CASES.map(({ id }) => id);
  assertEquals(ids.filter((id, i) => ids.indexOf(id) !== i), []);
});
