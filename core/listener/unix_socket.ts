/**
 * Listening sockets in the file system that can be replaced: by another process
 * that takes over, and by a worker in the place of one that hangs and still has
 * its socket.
 *
 * @module
 */
import { dirname, join } from "node:path";

/** How to come by the path. */
export interface UnixListenOptions {
  /** Whoever listens there is replaced, with nobody refused meanwhile; else the path must be free. */
  readonly replace: boolean;
}

/**
 * A socket that listens at a path. It is bound under another name and then moved
 * there: Deno removes the first name when it closes a socket (2.9.6; 2.4.2 leaves
 * it), and by then the path may be another one's.
 */
export class UnixSocketListener {
  readonly addr: Deno.UnixAddr;
  readonly #listener: Deno.UnixListener;
  readonly #ino: number | null;

  private constructor(
    path: string,
    listener: Deno.UnixListener,
    ino: number | null,
  ) {
    this.addr = { transport: "unix", path };
    this.#listener = listener;
    this.#ino = ino;
  }

  /** Listens at the path. Throws where it is not free, unless that is to be replaced. */
  static async listen(
    path: string,
    { replace }: UnixListenOptions,
  ): Promise<UnixSocketListener> {
    const random = crypto.getRandomValues(new Uint16Array(1))[0]!;
    const own = join(dirname(path), `.${random.toString(36)}`);
    const listener = Deno.listen({ transport: "unix", path: own });
    try {
      const { ino } = await Deno.lstat(own);
      if (replace) {
        await checkReplaceable(path);
        await Deno.rename(own, path);
      } else {
        // Unlike a move, a link never replaces anything.
        await Deno.link(own, path);
        await Deno.remove(own);
      }
      return new UnixSocketListener(path, listener, ino);
    } catch (thrown) {
      listener.close();
      await Deno.remove(own).catch(ignoreMissing);
      throw thrown;
    }
  }

  accept(): Promise<Deno.UnixConn> {
    return this.#listener.accept();
  }

  /** Closes it, and removes the path where it still leads here. */
  close(): void {
    this.#listener.close();
    try {
      if (this.leadsHere()) Deno.removeSync(this.addr.path);
    } catch (thrown) {
      ignoreMissing(thrown);
    }
  }

  /** Whether nobody replaced it at its path, or removed that. */
  leadsHere(): boolean {
    try {
      return Deno.lstatSync(this.addr.path).ino === this.#ino;
    } catch (thrown) {
      ignoreMissing(thrown);
      return false;
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Throws where there is something else than a socket. */
async function checkReplaceable(path: string): Promise<void> {
  const found = await Deno.lstat(path).catch(ignoreMissing);
  if (found?.isSocket === false) {
    throw new Deno.errors.AlreadyExists("There is a file that is no socket");
  }
}

function ignoreMissing(thrown: unknown): undefined {
  if (thrown instanceof Deno.errors.NotFound) return undefined;
  throw thrown;
}
