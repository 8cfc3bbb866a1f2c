/**
 * Has entries written: new ones, and those of old with another head.
 *
 * @module
 */
import type { Ghosts } from "../cache/s3_fifo.ts";
import {
  isPurged,
  type Purge,
  type StoredEntry,
  type StoredHead,
  type StoreWriter,
} from "../cache/store.ts";
import { BodyFile, BodyFileWriter } from "./body_files.ts";
import type { DiskCopy } from "./disk_copy.ts";
import { DiskEntry } from "./disk_entry.ts";
import { checkOf, hashOf } from "./disk_keys.ts";
import { encodeRecord } from "./disk_record.ts";
import type { DiskRoom } from "./disk_room.ts";
import type { Shard } from "./disk_shard.ts";
import { diskSize, DiskWriter } from "./disk_writer.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { Put } from "./pending_writes.ts";
import type { ShardContext } from "./shard_context.ts";

/** Entries under one key. */
const MAX_ALTERNATES = 64;

/** Whose entries they are. */
export interface EntryWriterOptions {
  readonly context: ShardContext;
  readonly room: DiskRoom;
  readonly ghosts: Ghosts;
  readonly reader: EntryReader;
  /** The shard of a hash; undefined where that is another store's. */
  readonly shardOf: (hash: number) => Shard | undefined;
  /** Whether anything is to be written now. */
  readonly mayWrite: () => boolean;
  /** Forgets a copy. */
  readonly drop: (copy: DiskCopy) => void;
}

/** A body whose last bytes are being written, before its record. */
interface Finishing {
  readonly key: string;
  readonly tags: readonly string[];
  readonly copy: DiskCopy;
}

/** Writes a store's entries. */
export class EntryWriter {
  readonly #options: EntryWriterOptions;
  readonly #finishing = new Set<Finishing>();

  constructor(options: EntryWriterOptions) {
    this.#options = options;
  }

  /** Begins to store what gets this copy; as `CacheStore.begin`. */
  begin(
    key: string,
    copy: DiskCopy,
    size: number | undefined,
  ): StoreWriter | undefined {
    const { context, room, shardOf, mayWrite } = this.#options;
    const hash = hashOf(key);
    const shard = shardOf(hash);
    if (shard?.ready !== true || !mayWrite()) return undefined;
    const most = room.mostEntry;
    if (size !== undefined && diskSize(size) > most) return undefined;
    if (!room.mayCome(size ?? 0)) return undefined;
    let finishing: Finishing | undefined;
    return new DiskWriter({
      most,
      newBody: () => {
        const id = context.segments.nextId(context.wall());
        return new BodyFileWriter(context, `${shard.folder}/${id}.body`, id);
      },
      take: (bytes) => room.take(bytes),
      failed: (error) => context.complain("write", error),
      finishing: ({ tags }) => {
        finishing = { key, tags, copy };
        this.#finishing.add(finishing);
      },
      commit: (head, body, replaced, written) =>
        this.#commit(key, hash, copy, head, body, replaced)
          .finally(() => {
            if (finishing !== undefined) this.#finishing.delete(finishing);
            written();
          }),
    }, size);
  }

  async #commit(
    key: string,
    hash: number,
    copy: DiskCopy,
    head: StoredHead,
    body: Uint8Array | BodyFile,
    replaced: readonly StoredEntry[],
  ): Promise<StoredEntry | undefined> {
    const { reader, ghosts, drop } = this.#options;
    for (const old of replaced) {
      if (old instanceof DiskEntry) drop(old.copy);
    }
    const others = reader.copiesOf(hash, checkOf(key));
    // The first of the chain came last.
    for (const old of others.slice(MAX_ALTERNATES - 1)) drop(old);
    const kind = ghosts.take(hash) ? "main" : "small";
    const how = { hash, kind, again: false, copy } as const;
    const stored = await this.#put(key, head, body, how);
    return stored ? reader.entry(key, head, copy, body) : undefined;
  }

  /** Writes a copy anew with another head; false where it is gone or the disk did not take that. Never rejects. */
  async refresh(copy: DiskCopy, head: StoredHead): Promise<boolean> {
    const { context, reader, shardOf, mayWrite } = this.#options;
    const entry = await reader.read(copy);
    // It may have gone between its reader's last look and here.
    if (entry === undefined || !copy.isIn(context.index) || !mayWrite()) {
      return false;
    }
    const { key, body } = entry;
    const hash = hashOf(key);
    const { kind } = context.segments.of(context.index.segment(copy.slot))!;
    const how = { hash, kind, again: true, copy };
    const stored = this.#put(key, head, body, how);
    void shardOf(hash)!.flush();
    return await stored;
  }

  /** Has a record written; whether it is found then. */
  #put(
    key: string,
    head: StoredHead,
    body: Uint8Array | BodyFile,
    how: Pick<Put, "hash" | "kind" | "again" | "copy">,
  ): Promise<boolean> {
    const inFile = body instanceof BodyFile;
    const { bytes, inline } = encodeRecord(
      key,
      head,
      inFile ? body : body.length,
    );
    if (!inFile) inline.set(body);
    return new Promise((done) =>
      this.#options.shardOf(how.hash)!.put({
        ...how,
        key,
        tags: head.tags,
        check: checkOf(key),
        bytes,
        body: inFile ? body : undefined,
        done,
      })
    );
  }

  /** Takes back what a purge means whose last bytes are being written: no shard knows of it yet. */
  cancel(purge: Purge): void {
    for (const { key, tags, copy } of this.#finishing) {
      if (isPurged(purge, key, tags)) copy.cancelled = true;
    }
  }
}
