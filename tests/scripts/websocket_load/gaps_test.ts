/** How the load harness measures silence. */
import { assertEquals } from "../../support/assert.ts";
import { findGaps, quantile } from "../../../scripts/websocket_load/gaps.ts";
import { connectionsOf, delivery, evidenceOf } from "./evidence.ts";

/** A delivery every 5 ms, from one moment to before another. */
function steady(connection: number, from: number, until: number) {
  const count = Math.ceil((until - from) / 5);
  return Array.from(
    { length: count },
    (_, i) => delivery(connection, i + 1, from + 5 * i),
  );
}

/** Something happened to the backend 1 at 50. */
const MARKS = [{ at: 50, left: 1 }];

Deno.test("gaps: the silence on the way to another connection, above the normal step", () => {
  const delivered = [...steady(100, 0, 51), ...steady(101, 90, 150)];
  const connections = connectionsOf({}, { openedAt: 70 });
  assertEquals(
    findGaps(evidenceOf({ delivered }, connections, 150), MARKS),
    { moved: [35], others: [], stuck: 0 },
  );
});

Deno.test("gaps: what the old connection still says shortens the silence", () => {
  const delivered = [...steady(100, 0, 71), ...steady(101, 90, 150)];
  const connections = connectionsOf({}, { openedAt: 60 });
  assertEquals(
    findGaps(evidenceOf({ delivered }, connections, 150), MARKS).moved,
    [15],
  );
});

Deno.test("gaps: silence before and long after is none of it", () => {
  const delivered = [
    ...steady(100, 0, 20),
    ...steady(100, 40, 51),
    ...steady(101, 60, 70),
    ...steady(101, 150, 170),
  ];
  const connections = connectionsOf({}, { openedAt: 55 });
  assertEquals(
    findGaps(evidenceOf({ delivered }, connections, 170), MARKS).moved,
    [5],
  );
});

Deno.test("gaps: of several ways the longest", () => {
  const delivered = [
    ...steady(100, 0, 51),
    ...steady(101, 70, 101),
    ...steady(102, 140, 150),
  ];
  const connections = connectionsOf({}, { openedAt: 60 }, { openedAt: 120 });
  const marks = [...MARKS, { at: 100, left: 2 }];
  assertEquals(
    findGaps(evidenceOf({ delivered }, connections, 150), marks),
    { moved: [35], others: [], stuck: 0 },
  );
});

Deno.test("gaps: who hears nothing from where it went is stuck, its silence lasts to the end", () => {
  const delivered = steady(100, 0, 51);
  const connections = connectionsOf({}, { openedAt: 60 });
  assertEquals(
    findGaps(evidenceOf({ delivered }, connections, 250), MARKS),
    { moved: [195], others: [], stuck: 1 },
  );
});

Deno.test("gaps: who stays where it is to leave is stuck, who was elsewhere or is closed is not", () => {
  const delivered = steady(100, 0, 150);
  const stuck = (
    backend: number,
    ended?: { code: number; reason: string },
  ) =>
    findGaps(
      evidenceOf({ delivered, ended }, connectionsOf({ backend }), 150),
      MARKS,
    );
  assertEquals(stuck(1), { moved: [], others: [], stuck: 1 });
  assertEquals(stuck(2).stuck, 0);
  assertEquals(stuck(1, { code: 1006, reason: "" }).stuck, 0);
});

Deno.test("gaps: sessions that stay tell what the machine does at the same time", () => {
  const moving = evidenceOf(
    { delivered: [...steady(100, 0, 51), ...steady(101, 90, 150)] },
    connectionsOf({}, { openedAt: 70 }, { session: 2, openedAt: 0 }),
    150,
  );
  const staying = {
    session: 2,
    sent: 0,
    // Late by 15 within the way, by 35 after it.
    delivered: [
      ...steady(102, 0, 61),
      ...steady(102, 80, 111),
      ...steady(102, 150, 160),
    ],
    ended: undefined,
  };
  assertEquals(
    findGaps({ ...moving, clients: [...moving.clients, staying] }, MARKS),
    { moved: [35], others: [15], stuck: 0 },
  );
});

Deno.test("quantile: of an ascending list", () => {
  assertEquals(quantile([1, 2, 3], 0.5), 2);
  assertEquals(quantile([1, 2, 3], 1), 3);
  assertEquals(quantile([1, 2, 3], 0), 1);
  assertEquals(Number.isNaN(quantile([], 0.5)), true);
});
