/** What the load harness makes of records: each fault counts once, as what it is. */
import fc from "fast-check";
import { assertEquals } from "../../support/assert.ts";
import { countMessages } from "../../../scripts/websocket_load/counts.ts";
import {
  type ConnectionParts,
  connectionsOf,
  delivery,
  evidenceOf,
} from "./evidence.ts";
import type { Delivery } from "../../../scripts/websocket_load/client.ts";

const CLEAN = {
  sent: 0,
  upLost: 0,
  upDuplicated: 0,
  upReordered: 0,
  pushed: 0,
  downLost: 0,
  downDuplicated: 0,
  downReordered: 0,
  unanswered: 0,
  closed: [],
};

/** Counts of the way up: backends answer nothing. */
function countUp(sent: number, ...connections: ConnectionParts[]) {
  const { upLost, upDuplicated, upReordered } = countMessages(
    evidenceOf({ sent }, connectionsOf(...connections)),
  );
  return [upLost, upDuplicated, upReordered];
}

/** Counts of the way down: of each connection, how many messages it wrote. */
function countDown(written: readonly number[], delivered: Delivery[]) {
  const connections = written.map((count) => ({
    sent: Array.from({ length: count }, (_, i) => i + 1),
  }));
  const { downLost, downDuplicated, downReordered } = countMessages(
    evidenceOf({ delivered }, connectionsOf(...connections)),
  );
  return [downLost, downDuplicated, downReordered];
}

Deno.test("counts: nothing is nothing", () => {
  assertEquals(countMessages(evidenceOf({}, [])), CLEAN);
});

Deno.test("counts up: messages that no backend got are lost", () => {
  assertEquals(countUp(3, { received: [1, 2, 3] }), [0, 0, 0]);
  assertEquals(countUp(4, { received: [1, 3] }), [2, 0, 0]);
  assertEquals(countUp(4, { received: [1] }, { received: [3, 4] }), [1, 0, 0]);
  assertEquals(countUp(2), [2, 0, 0]);
});

Deno.test("counts up: what the client did not get out is not lost", () => {
  assertEquals(countUp(2, { received: [1, 2, 3] }), [0, 0, 0]);
});

Deno.test("counts up: a replay is duplicates, and in order", () => {
  assertEquals(
    countUp(5, { received: [1, 2, 3] }, { received: [2, 3, 4, 5] }),
    [0, 2, 0],
  );
  assertEquals(
    countUp(5, { received: [1, 2, 3] }, { received: [3, 2, 4, 5] }),
    [0, 2, 1],
  );
  assertEquals(countUp(2, { received: [1, 1, 2] }), [0, 1, 0]);
});

Deno.test("counts up: a message behind a later one is out of order, on one backend or over two", () => {
  assertEquals(countUp(3, { received: [1, 3, 2] }), [0, 0, 1]);
  assertEquals(countUp(4, { received: [4, 1, 2, 3] }), [0, 0, 3]);
  // The first backend gets its last message after the second got a later one.
  assertEquals(
    countUp(3, { received: [[1, 10], [2, 30]] }, { received: [[3, 20]] }),
    [0, 0, 1],
  );
});

Deno.test("counts down: messages that were written and not delivered are lost", () => {
  assertEquals(countDown([2], [delivery(100, 1), delivery(100, 2)]), [0, 0, 0]);
  assertEquals(countDown([3], [delivery(100, 2)]), [2, 0, 0]);
});

Deno.test("counts down: what was announced and not written is not lost, but unanswered", () => {
  const counts = countMessages(evidenceOf(
    { sent: 3, delivered: [delivery(100, 1)] },
    connectionsOf({ received: [1, 2, 3], sent: [1, 2, 3], written: 2 }),
  ));
  assertEquals(counts, {
    ...CLEAN,
    sent: 3,
    pushed: 2,
    downLost: 1,
    unanswered: 1,
  });
});

Deno.test("counts down: what was delivered counts as answered, written by the records or not", () => {
  const counts = countMessages(evidenceOf(
    { sent: 1, delivered: [delivery(100, 1)] },
    connectionsOf({ received: [1], sent: [1], written: 0 }),
  ));
  assertEquals(counts, { ...CLEAN, sent: 1 });
});

Deno.test("counts down: another backend's answer will do, a push will not", () => {
  const connections = connectionsOf(
    { received: [1, 2], sent: [0] },
    { received: [2], sent: [2] },
  );
  const delivered = [delivery(100, 1, 0, 0), delivery(101, 1, 0, 2)];
  const counts = countMessages(evidenceOf({ sent: 2, delivered }, connections));
  assertEquals(counts, {
    ...CLEAN,
    sent: 2,
    pushed: 2,
    upDuplicated: 1,
    unanswered: 1,
  });
});

Deno.test("counts down: twice is a duplicate, behind a later one is out of order", () => {
  const [one, two, three] = [1, 2, 3].map((n) => delivery(100, n));
  assertEquals(countDown([2], [one!, two!, two!]), [0, 1, 0]);
  assertEquals(countDown([2], [one!, two!, one!]), [0, 1, 0]);
  assertEquals(countDown([3], [one!, three!, two!]), [0, 0, 1]);
});

Deno.test("counts down: the old backend's message behind the new one's is out of order", () => {
  assertEquals(
    countDown([2, 1], [delivery(100, 1), delivery(101, 1), delivery(100, 2)]),
    [0, 0, 1],
  );
});

Deno.test("counts down: another session's message is none of this one's", () => {
  const counts = countMessages(evidenceOf(
    { delivered: [delivery(101, 1)] },
    connectionsOf({ sent: [0] }, { session: 2, sent: [0] }),
  ));
  assertEquals(counts.downLost, 1);
});

Deno.test("counts: sessions that ended, with their codes", () => {
  const ended = { code: 1006, reason: "" };
  assertEquals(countMessages(evidenceOf({ ended }, [])).closed, [1006]);
});

Deno.test("counts up: any faults are found, whatever their number (property)", () => {
  const each = fc.array(fc.constantFrom("well", "lost", "twice"), {
    maxLength: 50,
  });
  fc.assert(fc.property(each, fc.nat(50), (fates, cut) => {
    const received = fates.flatMap((fate, i) =>
      fate === "lost" ? [] : fate === "twice" ? [i + 1, i + 1] : [i + 1]
    );
    assertEquals(
      countUp(
        fates.length,
        { received: received.slice(0, cut) },
        { received: received.slice(cut) },
      ),
      [
        fates.filter((fate) => fate === "lost").length,
        fates.filter((fate) => fate === "twice").length,
        0,
      ],
    );
  }));
});
