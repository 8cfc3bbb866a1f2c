import { seatCount, Seats } from "../../../core/supervisor/seats.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("Seats – a lost worker's seat is the last to be taken again", () => {
  const seats = new Seats(2);
  assertEquals(seatCount(2), 4);
  assertEquals([seats.take(), seats.take()], [0, 1]);
  seats.lose(1);
  assertEquals(seats.take(), 2);
  seats.lose(2);
  assertEquals(seats.take(), 3);
  seats.lose(3);
  assertEquals(seats.take(), 1);
});

Deno.test("Seats – there are two for each worker, and no more than that", () => {
  assertEquals(seatCount(1), 2);
  const seats = new Seats(1);
  assertEquals(seats.take(), 0);
  assertEquals(seats.take(), 1);
  assertThrows(() => seats.take(), RangeError, "all seats are taken");
});
