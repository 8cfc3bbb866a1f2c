import { Tally, TALLY_BYTES } from "../../../core/data_plane/tally.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("Tally – what a plane writes another thread reads", () => {
  const memory = new SharedArrayBuffer(TALLY_BYTES);
  const [one, other] = [new Tally(memory), new Tally(memory)];
  one.sessions = 3;
  one.websockets = 2;
  assertEquals([other.sessions, other.websockets], [3, 2]);
  const alone = new Tally();
  alone.sessions = 1;
  assertEquals([alone.sessions, other.sessions], [1, 3]);
});
