/**
 * Purges in a file, one a line: what somebody wanted gone who could not have the
 * folder, for whoever gets it next.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { DiskFiles } from "./disk_files.ts";

/** Purges that are noted one by one; with more of them all of it goes. */
const MAX_NOTED = 1_000;

/** The purges file of a folder. */
export class NotedPurges {
  readonly #files: DiskFiles;
  readonly #path: string;
  /** How many were noted here. */
  #noted = 0;
  /** Whether the last of them was that all goes. */
  #all = false;

  constructor(files: DiskFiles, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** Notes one; that outlives a loss of power. Rejects where it can't be written. */
  async note(purge: Purge): Promise<void> {
    if (this.#all) {
      if (await this.#files.size(this.#path) !== undefined) return;
      // Somebody had the folder, and did them.
      this.#all = false;
      this.#noted = 0;
    }
    const all = this.#noted >= MAX_NOTED;
    const line = all ? { kind: "all" } : purge;
    const file = await this.#files.append(this.#path);
    try {
      await file.append(encoder.encode(`${JSON.stringify(line)}\n`));
      await file.sync();
      this.#noted++;
      this.#all ||= all;
    } finally {
      file.close();
    }
  }

  /** What others noted; undefined where nobody did. */
  async read(): Promise<Purge[] | undefined> {
    const bytes = await this.#files.readAll(this.#path);
    if (bytes === undefined) return undefined;
    return new TextDecoder().decode(bytes).split("\n")
      .filter((line) => line !== "")
      .map(readPurge);
  }

  /** What was noted is done. */
  async remove(): Promise<void> {
    await this.#files.remove(this.#path);
  }
}

/** A purge that was noted; of a line that is not whole nobody knows what it meant. */
function readPurge(line: string): Purge {
  try {
    return JSON.parse(line) as Purge;
  } catch {
    return { kind: "all" };
  }
}

const encoder = new TextEncoder();
