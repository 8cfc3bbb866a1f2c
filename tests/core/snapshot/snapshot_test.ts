/**
 * How long a snapshot is held.
 *
 * @module
 */
import { Snapshot } from "../../../core/snapshot/snapshot.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("Snapshot tells once that nobody holds it any more", () => {
  let unused = 0;
  const snapshot = new Snapshot({
    revision: 1,
    clusters: new Map(),
    dialers: new Map(),
    admins: new Map(),
    onUnused: () => unused++,
  });
  const holders = [snapshot, snapshot.retain(), snapshot.retain()];
  holders.pop()!.release();
  holders.pop()!.release();
  assertEquals(unused, 0);
  holders.pop()!.release();

  assertEquals(unused, 1);
});
