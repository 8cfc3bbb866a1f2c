/**
 * A worker that enters and leaves below a bound as fast as it can.
 *
 * @module
 */
import { SeatCounts } from "../../../core/shared/seat_counts.ts";

/** What it gets; it answers with the most that it saw open, and how often it was one of them. */
export interface SeatHammer {
  readonly memory: SharedArrayBuffer;
  readonly seat: number;
  readonly most: number;
  readonly rounds: number;
}

const port = self as unknown as Worker;
port.onmessage = ({ data }: MessageEvent<SeatHammer>) => {
  const counts = new SeatCounts(data.memory, data.seat);
  let highest = 0;
  let entered = 0;
  for (let round = 0; round < data.rounds; round++) {
    if (!counts.enterBelow(data.most)) continue;
    highest = Math.max(highest, counts.open);
    entered++;
    counts.leave();
  }
  port.postMessage([highest, entered]);
};
