/**
 * What processes have behind them before a row is measured: sessions that came,
 * talked and went.
 *
 * A proxy and backends in service have run their code before; ones that were
 * started a second ago compile it while sessions move, on the processors that
 * the moves need, and so does the harness. No session moves in a rehearsal:
 * the first move is a row's own.
 *
 * @module
 */
import { LoadClient } from "./client.ts";

/** The session of all connections of rehearsals: nobody counts their records. */
export const REHEARSAL = 0;

/** Sessions that are open at once, and how often that many come and go. */
const AT_ONCE = 10;
const WAVES = 10;

/** Messages of each. */
const MESSAGES = 10;

/** All of a wave is answered within this, in milliseconds. */
const PATIENCE = 10_000;

/** Rehearses through a port of 127.0.0.1: a proxy's, or a backend's. Rejects where a session is not answered. */
export async function rehearse(port: number, size: number): Promise<void> {
  for (let wave = 0; wave < WAVES; wave++) {
    const clients = await Promise.all(
      Array.from(
        { length: AT_ONCE },
        () => LoadClient.open(port, REHEARSAL, size),
      ),
    );
    for (const client of clients) {
      for (let i = 0; i < MESSAGES; i++) client.send();
    }
    await allAnswered(clients);
    await Promise.all(clients.map((client) => client.close()));
  }
}

async function allAnswered(clients: readonly LoadClient[]): Promise<void> {
  const start = performance.now();
  while (!clients.every(({ answered }) => answered)) {
    if (performance.now() - start > PATIENCE) {
      throw new Error(`A rehearsal is not answered within ${PATIENCE} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
