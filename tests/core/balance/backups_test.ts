/**
 * When backups are offered.
 *
 * @module
 */
import fc from "fast-check";
import { offerMembers } from "../../../core/balance/backups.ts";
import { assert, assertEquals } from "../../support/assert.ts";

interface Backend {
  readonly id: string;
  readonly backup: boolean;
  readonly up: boolean;
}

/** `a b! C!`: a backup has a mark, one that is down a capital. */
function backends(text: string): Backend[] {
  return text.split(" ").filter((word) => word !== "").map((word) => ({
    id: word.slice(0, 1),
    backup: word.endsWith("!"),
    up: word === word.toLowerCase(),
  }));
}

function offer(
  ...subclusters: readonly string[]
): readonly [string, ...string[]] {
  const { members, backups } = offerMembers(
    subclusters.map(backends),
    ({ up }) => up,
  );
  const ids = members.map((group) => group.map(({ id }) => id).join(""));
  return [backups ? "backups" : "normal", ...ids];
}

Deno.test("offerMembers offers no backup while another of the cluster is available", () => {
  assertEquals(offer("a b c!", "d!"), ["normal", "ab", ""]);
  assertEquals(offer("A b c!", "d!"), ["normal", "b", ""]);
  assertEquals(offer("A B c!", "D e f!"), ["normal", "", "e"]);
});

Deno.test("offerMembers offers all available backups where nobody else is", () => {
  assertEquals(offer("A b! c!", "D e! F!"), ["backups", "bc", "e"]);
  assertEquals(offer("b!"), ["backups", "b"]);
});

Deno.test("offerMembers offers nobody where nobody is available", () => {
  assertEquals(offer("A B!", ""), ["backups", "", ""]);
  assertEquals(offer(), ["backups"]);
});

Deno.test("offerMembers offers the available of one kind in their order, and somebody while somebody is", () => {
  const member = fc.record({
    id: fc.string(),
    backup: fc.boolean(),
    up: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(fc.array(member)), (subclusters) => {
      const { members, backups } = offerMembers(subclusters, ({ up }) => up);
      assertEquals(
        members,
        subclusters.map((group) =>
          group.filter(({ up, backup }) => up && backup === backups)
        ),
      );
      const offered = members.flat().length > 0;
      assertEquals(offered, subclusters.flat().some(({ up }) => up));
      assert(
        !backups || !subclusters.flat().some(({ up, backup }) => up && !backup),
      );
    }),
  );
});
