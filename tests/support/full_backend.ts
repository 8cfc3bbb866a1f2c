/**
 * A backend to which connects neither succeed nor fail.
 *
 * @module
 */

/** A listening socket that nobody can connect to in time. */
export interface FullBackend extends Disposable {
  /** As a config names it. */
  readonly url: string;
}

/** Listens and fills the kernel's queue: it drops further SYNs. */
export async function fillBackend(): Promise<FullBackend> {
  const hostname = "127.0.0.1";
  const listener = Deno.listen({ hostname, port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const queued: Deno.Conn[] = [];
  for (;;) {
    try {
      const signal = AbortSignal.timeout(300);
      queued.push(await Deno.connect({ hostname, port, signal }));
    } catch {
      // The first one that hangs: the queue is full.
      break;
    }
  }
  return {
    url: `http://${hostname}:${port}`,
    [Symbol.dispose]() {
      for (const conn of queued) conn.close();
      listener.close();
    },
  };
}
