/**
 * Ports that nobody listens on.
 *
 * @module
 */

/** So many free ports of 127.0.0.1, one behind the other, below those that the system gives out by itself. */
export function freePorts(count: number): number[] {
  for (;;) {
    const first = 12_000 + Math.floor(Math.random() * 18_000);
    const held: Deno.Listener[] = [];
    try {
      for (let i = 0; i < count; i++) {
        held.push(Deno.listen({ hostname: "127.0.0.1", port: first + i }));
      }
      return held.map((_, i) => first + i);
    } catch (thrown) {
      // Somebody has one of them: others are tried.
      if (!(thrown instanceof Deno.errors.AddrInUse)) throw thrown;
    } finally {
      for (const listener of held) listener.close();
    }
  }
}
