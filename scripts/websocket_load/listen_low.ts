/**
 * Ports that a later process can have again.
 *
 * @module
 */

/**
 * A listener at a free port of 127.0.0.1 below those that the system gives out
 * by itself: nobody takes it while a backend is away.
 */
export function listenLow(): Deno.TcpListener {
  for (let tries = 0;; tries++) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    try {
      return Deno.listen({ hostname: "127.0.0.1", port, tcpBacklog: 4096 });
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.AddrInUse) || tries === 100) {
        throw thrown;
      }
    }
  }
}
