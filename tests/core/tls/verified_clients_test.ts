import { VerifiedClients } from "../../../core/tls/verified_clients.ts";
import { assertEquals } from "../../support/assert.ts";

const [A, B, AB] = [new Set(["a"]), new Set(["b"]), new Set(["a", "b"])];

Deno.test("VerifiedClients: known is what authorities that are all still trusted have verified", () => {
  const clients = new VerifiedClients();
  const known = (name: string) =>
    [A, B, AB].map((authorities) => clients.has(name, authorities));
  assertEquals(known("alice"), [false, false, false]);
  clients.note("alice", A);
  assertEquals(known("alice"), [true, false, true]);
  clients.note("bob", AB);
  // Who of both has verified it nobody knows.
  assertEquals(known("bob"), [false, false, true]);
  clients.note("bob", B);
  assertEquals(known("bob"), [false, true, true]);
  assertEquals(known("carol"), [false, false, false]);
});

Deno.test("VerifiedClients: bounded, the longest unseen go first", () => {
  const clients = new VerifiedClients(3);
  for (const name of ["a", "b", "c", "a", "d"]) clients.note(name, A);
  const known = ["a", "b", "c", "d"].filter((name) => clients.has(name, A));
  assertEquals(known, ["a", "c", "d"]);
  for (let i = 0; i < 10; i++) clients.note("d", new Set([`${i}`]));
  assertEquals(clients.has("d", new Set(["9"])), true);
  assertEquals(clients.has("d", new Set(["0"])), false);
});
