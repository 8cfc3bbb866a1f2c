/**
 * Files for bodies that are too large for memory. They have no name while they
 * are used: whatever ends the process, the system takes them back.
 *
 * @module
 */
import { tmpdir } from "node:os";
import process from "node:process";

/** What of a file bodies need. */
export type BodyFile = Pick<
  Deno.FsFile,
  "read" | "write" | "seek" | "close"
>;

/** Where files come from. */
export interface BodyFiles {
  /** A new, empty one. Rejects with what the file system says. */
  open(): Promise<BodyFile>;
}

/** Names of ours: the process, and what tells its files apart. */
const NAME = /^headrace-body-(\d+)-/;

/** Files in a folder, by default the system's for temporary files (`TMPDIR`). */
export class TemporaryFiles implements BodyFiles {
  readonly #folder: string;

  constructor(folder = tmpdir()) {
    this.#folder = folder;
  }

  async open(): Promise<BodyFile> {
    const name = `headrace-body-${process.pid}-${crypto.randomUUID()}`;
    const path = `${this.#folder}/${name}`;
    const file = await Deno.open(path, {
      read: true,
      write: true,
      createNew: true,
      mode: 0o600,
    });
    try {
      await remove(path);
      return file;
    } catch (thrown) {
      file.close();
      throw thrown;
    }
  }

  /**
   * Removes what processes left behind that were killed in the moment in which
   * their files had names. For the start, before the first file is opened: a
   * process that had our number before us is dead.
   */
  async removeStale(): Promise<void> {
    for await (const { name } of Deno.readDir(this.#folder)) {
      const pid = NAME.exec(name)?.[1];
      if (pid === undefined) continue;
      if (Number(pid) === process.pid || !isAlive(Number(pid))) {
        await remove(`${this.#folder}/${name}`);
      }
    }
  }
}

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (thrown) {
    // Somebody took it for a stale one; that is no loss.
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // Somebody else's process is one, too.
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}
