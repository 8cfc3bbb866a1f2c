/**
 * A shard of the store on disk: a folder that one store writes to.
 *
 *     lock          held while the folder is in use
 *     journal       what came and what went
 *     purges        what another process wanted gone that could not have the folder
 *     ID.small      segments of records, see `segments.ts`
 *     ID.main
 *     ID.body       bodies that are too long for a record
 *
 * Records are written first, then the journal's batch that names them: whatever
 * a killed process leaves, the journal names only what is whole. All that
 * changes the folder goes through one queue, in batches.
 *
 * @module
 */
import type { Ghosts } from "../cache/s3_fifo.ts";
import { isPurged, type Purge } from "../cache/store.ts";
import { textKey } from "../cache/text_key.ts";
import { BodyFile, bodyFileSize } from "./body_files.ts";
import type { BodyContext } from "./body_files.ts";
import type { AppendFile, DiskFiles } from "./disk_files.ts";
import { type DiskIndex, NONE } from "./disk_index.ts";
import { decodeRecord, FORMAT, sealRecord } from "./disk_record.ts";
import {
  BatchWriter,
  type DropLine,
  JOURNAL_HEAD,
  journalHead,
  type PutView,
  readJournal,
} from "./journal.ts";
import { Segment, type SegmentKind, type SegmentTable } from "./segments.ts";

/** What a store's shards have in common. */
export interface ShardContext extends BodyContext {
  readonly files: DiskFiles;
  readonly index: DiskIndex;
  readonly segments: SegmentTable;
  /** Files of bodies by the slots of the records that name them. */
  readonly bodies: Map<number, BodyFile>;
  /** Bytes of a segment. */
  readonly segmentBytes: number;
  /** How long records wait for others to be written with them, in milliseconds; 0 = not at all. */
  readonly delay: number;
  /** Milliseconds since the epoch. */
  wall(): number;
  /** Something could not be done; `what` says what. */
  complain(what: string, error?: unknown): void;
  /** What lay in the folder was thrown away, and why. */
  thrownAway(folder: string, why: string): void;
  /** A record is in: there may be too much. */
  stored(): void;
  /** So many were forgotten for want of room. */
  evicted(count: number): void;
}

/** An entry's copy on disk, written or on its way. */
export class DiskCopy {
  slot: number;
  born: number;
  /** It is not to be found, whether it is written or not. */
  cancelled = false;

  constructor(slot = NONE, born = 0) {
    this.slot = slot;
    this.born = born;
  }
}

/** A record to be written. */
export interface Put {
  readonly key: string;
  readonly tags: readonly string[];
  readonly hash: number;
  readonly check: number;
  /** The record without its place. */
  readonly bytes: Uint8Array;
  readonly body: BodyFile | undefined;
  readonly kind: SegmentKind;
  /** Whether it takes the place of what its copy has written already. */
  readonly again: boolean;
  readonly copy: DiskCopy;
  /** Called once it is found, or never will be. */
  readonly done: (stored: boolean) => void;
}

/** A record that is written, and where. */
interface Placed {
  readonly put: Put;
  readonly segment: Segment;
  readonly offset: number;
}

/** Bytes that are written in one go. */
const MAX_WRITE = 1 << 20;
/** Lines of a journal beyond twice what it needs before it is written anew. */
const SPARE_LINES = 2_000;

/** Purges that are noted one by one. */
const MAX_NOTED = 1_000;

const encoder = new TextEncoder();

/** A purge that was noted; of a line that is not whole nobody knows what it meant. */
function readPurge(line: string): Purge {
  try {
    return JSON.parse(line) as Purge;
  } catch {
    return { kind: "all" };
  }
}

/** A folder. */
export class Shard {
  readonly folder: string;
  /** Entries that can be found. */
  entries = 0;
  /** Bytes of the journal. */
  journalBytes = 0;
  readonly #context: ShardContext;
  #ready = false;
  #lock: Disposable | undefined;
  #journal: AppendFile | undefined;
  /** Lines in the journal. */
  #lines = 0;
  /** What is done to the folder, one after the other. */
  #tail: Promise<void> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #puts: Put[] = [];
  /** Those that are being written. */
  #flying: Put[] = [];
  #drops: DropLine[] = [];
  /** All is to be forgotten. */
  #clearing = false;
  /** The journal could not be written to and is not removed yet: what it names must not come back. */
  #condemned = false;
  /** Purges that are noted for another. */
  #noted = 0;
  #closed = false;
  readonly #active = new Map<SegmentKind, Segment>();
  readonly #segments = new Map<number, Segment>();

  constructor(folder: string, context: ShardContext) {
    this.folder = folder;
    this.#context = context;
  }

  /** Whether what it holds can be found. */
  get ready(): boolean {
    return this.#ready;
  }

  // ------------------------------------------------------------------ opening

  /** Takes the folder and reads its journal; false where another process has it. Rejects where it can't be used. */
  async open(): Promise<boolean> {
    const { files } = this.#context;
    if (this.#lock === undefined) {
      await files.makeFolder(this.folder);
      this.#lock = await files.lock(`${this.folder}/lock`);
      if (this.#lock === undefined) return false;
    }
    try {
      await this.#load();
      await this.#purgeNoted();
    } catch (thrown) {
      this.#unload();
      throw thrown;
    }
    this.#ready = true;
    return true;
  }

  /** Forgets what was read; the folder keeps it. */
  #unload(): void {
    const { index, bodies, segments } = this.#context;
    for (const segment of this.#segments.values()) {
      for (const slot of segment.slots) {
        if (index.segment(slot) !== segment.number) continue;
        bodies.delete(slot);
        index.remove(slot);
      }
      segments.remove(segment);
    }
    this.#segments.clear();
    this.entries = 0;
    this.#journal?.close();
    this.#journal = undefined;
  }

  /** Forgets what those wanted gone who could not have the folder. */
  async #purgeNoted(): Promise<void> {
    const { files } = this.#context;
    const path = this.#path("purges");
    const bytes = await files.readAll(path);
    if (bytes === undefined) return;
    for (const line of new TextDecoder().decode(bytes).split("\n")) {
      if (line !== "") await this.purge(readPurge(line));
    }
    await this.flush(true);
    await files.remove(path);
  }

  /** Has whoever gets the folder next forget what a purge means; that outlives a loss of power. Rejects where it can't be written. */
  async notePurge(purge: Purge): Promise<void> {
    if (this.#noted > MAX_NOTED) return;
    // With so many of them all of it goes.
    this.#noted++;
    const line = this.#noted > MAX_NOTED ? { kind: "all" } : purge;
    const file = await this.#context.files.append(this.#path("purges"));
    try {
      await file.append(encoder.encode(`${JSON.stringify(line)}\n`));
      await file.sync();
    } finally {
      file.close();
    }
  }

  async #load(): Promise<void> {
    const { files } = this.#context;
    if (this.#condemned) await files.remove(this.#path("journal"));
    this.#condemned = false;
    const found = await files.list(this.folder);
    let bytes = await files.readAll(this.#path("journal")) ??
      new Uint8Array(0);
    const loaded = new LoadedShard(this.folder, this, this.#context, found);
    const state = readJournal(bytes, loaded);
    let length = JOURNAL_HEAD;
    if (state.kind !== "whole") {
      this.#context.thrownAway(
        this.folder,
        state.kind === "foreign"
          ? `its format is not ${FORMAT}`
          : "its journal is damaged",
      );
      loaded.clear();
      loaded.lines = 0;
      bytes = new Uint8Array(0);
    } else if (state.length > 0) length = state.length;
    for (const segment of loaded.finish()) {
      this.#segments.set(segment.id, segment);
    }
    this.entries = loaded.entries;
    this.#lines = loaded.lines;
    // The journal goes first: a file that nothing names is only litter.
    if (length === JOURNAL_HEAD) await files.remove(this.#path("journal"));
    for (const name of loaded.unused()) await files.remove(this.#path(name));
    const journal = await files.append(this.#path("journal"));
    try {
      if (length === JOURNAL_HEAD) await journal.append(journalHead());
      else if (length < bytes.length) await journal.truncate(length);
    } catch (thrown) {
      journal.close();
      throw thrown;
    }
    this.#journal = journal;
    this.journalBytes = length;
    this.#context.segments.sort();
  }

  #path(name: string): string {
    return `${this.folder}/${name}`;
  }

  // ---------------------------------------------------------------- to and fro

  /** Has a record written, with others a moment later. */
  put(put: Put): void {
    if (this.#closed) {
      if (!put.again) put.body?.discard();
      return put.done(false);
    }
    this.#puts.push(put);
    this.#flushSoon();
  }

  /** Whether a copy is found, or will be. */
  holds({ slot, born, cancelled }: DiskCopy): boolean {
    return !cancelled && slot !== NONE &&
      this.#context.index.holds(slot, born);
  }

  /** Forgets a copy at once; the folder hears of it a moment later. */
  drop(copy: DiskCopy): void {
    if (this.holds(copy)) this.#dropSlot(copy.slot);
    copy.cancelled = true;
  }

  #dropSlot(slot: number): void {
    const { index } = this.#context;
    const segment = this.#context.segments.of(index.segment(slot))!;
    this.#drops.push({
      segment: segment.id,
      offset: index.offset(slot),
      hash: index.hash(slot),
    });
    this.#forget(slot, segment);
    if (segment.live === 0 && segment.file === undefined) {
      void this.run(() => this.#discard(segment));
    }
    this.#flushSoon();
  }

  /** Takes an entry out of the index. */
  #forget(slot: number, segment: Segment): void {
    const { index, bodies, segments } = this.#context;
    const body = bodies.get(slot);
    if (body !== undefined) {
      bodies.delete(slot);
      segments.grow(segment, -bodyFileSize(body.size));
      body.discard();
    }
    segment.live--;
    this.entries--;
    index.remove(slot);
  }

  /** Resolves once all that was asked for so far is in the folder; with `durable` so that it outlives a loss of power. */
  flush(durable = false): Promise<void> {
    return this.run(() => this.#flush(durable));
  }

  /** Whether the folder holds all that it is to. */
  get settled(): boolean {
    return this.#puts.length === 0 && this.#flying.length === 0 &&
      this.#drops.length === 0 && !this.#clearing;
  }

  #flushSoon(): void {
    if (this.#cancelTimer !== undefined || this.#closed) return;
    if (this.#context.delay === 0) {
      void this.flush();
      return;
    }
    this.#cancelTimer = this.#context.after(this.#context.delay, () => {
      this.#cancelTimer = undefined;
      void this.flush();
    });
  }

  /** Does something after all that was asked for before. Never rejects. */
  run(task: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(task).catch((error) =>
      this.#context.complain("use", error)
    );
    this.#tail = done;
    return done;
  }

  // ----------------------------------------------------------------- flushing

  async #flush(durable = false): Promise<void> {
    const { index } = this.#context;
    if (this.#journal === undefined) return this.#giveUpPuts();
    const puts = this.#takePuts();
    const drops = this.#drops;
    const clearing = this.#clearing;
    this.#drops = [];
    this.#clearing = false;
    this.#flying = puts;
    const placed = puts.length === 0 ? [] : await this.#writeRecords(puts);
    const batch = new BatchWriter();
    if (clearing) batch.clear();
    const named = placed.filter(({ put }) => this.#isWanted(put));
    for (const { put, segment, offset } of named) {
      batch.put({
        ...put,
        segment: segment.id,
        offset,
        length: put.bytes.length,
      });
      if (put.again) {
        const { slot } = put.copy;
        const old = this.#context.segments.of(index.segment(slot))!;
        batch.drop({
          segment: old.id,
          offset: index.offset(slot),
          hash: put.hash,
        });
      }
    }
    for (const drop of drops) batch.drop(drop);
    const forgets = clearing || drops.length > 0 ||
      named.some(({ put }) => put.again);
    const written = await this.#writeBatch(batch, forgets, durable);
    this.#flying = [];
    const done = new Set<Put>();
    for (const one of written ? named : []) {
      if (this.#isWanted(one.put)) {
        this.#enter(one);
        done.add(one.put);
      } else {
        // It was forgotten while the journal learned of it.
        const { segment, offset, put } = one;
        this.#drops.push({ segment: segment.id, offset, hash: put.hash });
        this.#flushSoon();
      }
    }
    for (const put of puts) {
      const stored = done.has(put);
      if (!stored && !put.again) put.body?.discard();
      put.done(stored);
    }
    if (done.size > 0) this.#context.stored();
    if (this.#lines > 2 * this.entries + SPARE_LINES) await this.#compact();
  }

  /** What is to be written now; a record that is written anew twice waits for the next time. */
  #takePuts(): Put[] {
    const taken: Put[] = [];
    const left: Put[] = [];
    const again = new Set<DiskCopy>();
    for (const put of this.#puts) {
      if (!this.#isWanted(put)) {
        if (!put.again) put.body?.discard();
        put.done(false);
      } else if (again.has(put.copy)) left.push(put);
      else {
        if (put.again) again.add(put.copy);
        taken.push(put);
      }
    }
    this.#puts = left;
    if (left.length > 0) this.#flushSoon();
    return taken;
  }

  #giveUpPuts(): void {
    const puts = this.#puts;
    this.#puts = [];
    this.#drops = [];
    this.#clearing = false;
    for (const put of puts) {
      if (!put.again) put.body?.discard();
      put.done(false);
    }
  }

  #isWanted({ copy, again }: Put): boolean {
    return again ? this.holds(copy) : !copy.cancelled;
  }

  /** A record can be found from now on. */
  #enter({ put, segment, offset }: Placed): void {
    const { index, bodies, segments } = this.#context;
    const { copy, body, hash, check } = put;
    const place = {
      segment: segment.number,
      offset,
      length: put.bytes.length,
    };
    if (put.again) {
      const old = segments.of(index.segment(copy.slot))!;
      old.live--;
      if (body !== undefined) segments.grow(old, -bodyFileSize(body.size));
      index.move(copy.slot, place);
      if (old.live === 0 && old.file === undefined) {
        void this.run(() => this.#discard(old));
      }
    } else {
      copy.slot = index.add(hash, check, place);
      copy.born = index.born(copy.slot);
      this.entries++;
      if (body !== undefined) bodies.set(copy.slot, body);
    }
    segment.slots.push(copy.slot);
    segment.live++;
    if (body !== undefined) segments.grow(segment, bodyFileSize(body.size));
  }

  /** Writes records one behind the other; those that are written. */
  async #writeRecords(puts: readonly Put[]): Promise<Placed[]> {
    const placed: Placed[] = [];
    for (const kind of ["small", "main"] as const) {
      let run: Put[] = [];
      let bytes = 0;
      for (const put of puts) {
        if (put.kind !== kind) continue;
        if (run.length > 0 && bytes + put.bytes.length > MAX_WRITE) {
          if (!await this.#writeRun(kind, run, placed)) return placed;
          run = [];
          bytes = 0;
        }
        run.push(put);
        bytes += put.bytes.length;
      }
      if (run.length > 0 && !await this.#writeRun(kind, run, placed)) {
        return placed;
      }
    }
    return placed;
  }

  async #writeRun(
    kind: SegmentKind,
    puts: readonly Put[],
    placed: Placed[],
  ): Promise<boolean> {
    const { segmentBytes, segments, traffic } = this.#context;
    for (let at = 0; at < puts.length;) {
      let segment: Segment | undefined;
      try {
        segment = await this.#segmentFor(kind, puts[at]!);
        const first = at;
        let end = segment.fileBytes;
        let weight = segment.size;
        while (at < puts.length) {
          const { bytes, body } = puts[at]!;
          if (at > first && weight + bytes.length > segmentBytes) break;
          sealRecord(bytes, segment.id, end);
          end += bytes.length;
          weight += bytes.length +
            (body === undefined ? 0 : bodyFileSize(body.size));
          at++;
        }
        const records = puts.slice(first, at);
        const joined = join(records.map(({ bytes }) => bytes));
        await segment.file!.append(joined);
        traffic.written += joined.length;
        let offset = segment.fileBytes;
        for (const put of records) {
          placed.push({ put, segment, offset });
          offset += put.bytes.length;
        }
        segments.grow(segment, end - segment.fileBytes);
        segment.fileBytes = end;
      } catch (error) {
        this.#context.complain("write", error);
        // Nobody knows how much of it was written.
        if (segment !== undefined) this.#seal(segment);
        return false;
      }
    }
    return true;
  }

  async #segmentFor(kind: SegmentKind, put: Put): Promise<Segment> {
    const { segments, segmentBytes, files } = this.#context;
    const active = this.#active.get(kind);
    if (active !== undefined) {
      if (active.size + put.bytes.length <= segmentBytes) return active;
      this.#seal(active);
    }
    const id = segments.nextId(this.#context.wall());
    const path = this.#path(`${id}.${kind}`);
    const segment = new Segment(this, id, kind, path);
    segment.file = await files.append(path);
    this.#segments.set(id, segment);
    this.#active.set(kind, segment);
    segments.add(segment);
    return segment;
  }

  #seal(segment: Segment): void {
    segment.seal();
    if (this.#active.get(segment.kind) === segment) {
      this.#active.delete(segment.kind);
    }
    if (segment.live === 0) void this.run(() => this.#discard(segment));
  }

  /** Adds a batch to the journal; false where that failed. */
  async #writeBatch(
    batch: BatchWriter,
    forgets: boolean,
    durable: boolean,
  ): Promise<boolean> {
    const journal = this.#journal!;
    try {
      if (batch.lines > 0) {
        const bytes = batch.seal();
        await journal.append(bytes);
        this.#context.traffic.written += bytes.length;
        this.journalBytes += bytes.length;
        this.#lines += batch.lines;
      }
      if (durable) await journal.sync();
      return true;
    } catch (error) {
      this.#context.complain("write", error);
      if (!forgets) {
        try {
          await journal.truncate(this.journalBytes);
          return false;
        } catch {
          // It is given up below: what it holds is not known any more.
        }
      }
      // What was to be forgotten must not come back: then all goes.
      await this.#giveUp();
      return false;
    }
  }

  /** Throws away all that the folder holds; it is opened anew by and by. */
  async #giveUp(): Promise<void> {
    const { files, complain, thrownAway } = this.#context;
    this.#forgetAll();
    this.#ready = false;
    this.#journal?.close();
    this.#journal = undefined;
    this.#clearing = false;
    this.#condemned = true;
    thrownAway(this.folder, "it could not be written to");
    try {
      await files.remove(this.#path("journal"));
      this.#condemned = false;
    } catch (error) {
      complain("forget", error);
    }
    for (const segment of [...this.#segments.values()]) {
      await this.#discard(segment);
    }
  }

  // --------------------------------------------------------------- forgetting

  /** Forgets what a purge means, and resolves to how many there were once that outlives a loss of power. */
  purge(purge: Purge): number | Promise<number> {
    let cancelled = 0;
    for (const { again, copy, key, tags } of [...this.#puts, ...this.#flying]) {
      if (again || copy.cancelled || !isPurged(purge, key, tags)) continue;
      copy.cancelled = true;
      cancelled++;
    }
    switch (purge.kind) {
      case "url":
        return this.#purgeUrl(purge.url, cancelled);
      case "all":
        return this.#purgeAll(cancelled);
      case "prefix": {
        const prefix = encoder.encode(purge.prefix);
        return this.#purgeBy((put) => put.hasPrefix(prefix), cancelled);
      }
      case "tag": {
        const tag = textKey(purge.tag);
        return this.#purgeBy((put) => put.hasTag(tag), cancelled);
      }
    }
  }

  #purgeUrl(url: string, cancelled: number): number | Promise<number> {
    const { index } = this.#context;
    const hash = textKey(url);
    let count = cancelled;
    for (let slot = index.first(hash); slot !== NONE;) {
      const next = index.after(slot);
      this.#dropSlot(slot);
      count++;
      slot = next;
    }
    if (count === 0 && this.settled) return 0;
    return this.flush(true).then(() => count);
  }

  #purgeAll(cancelled: number): number | Promise<number> {
    const count = this.entries + cancelled;
    if (count === 0 && this.settled) return 0;
    this.#forgetAll();
    return this.run(async () => {
      const old = [...this.#segments.values()].filter(({ live }) => live === 0);
      await this.#flush(true);
      for (const segment of old) {
        if (segment.live === 0) await this.#discard(segment);
      }
    }).then(() => count);
  }

  #forgetAll(): void {
    const { index } = this.#context;
    for (const segment of this.#segments.values()) {
      for (const slot of segment.slots) {
        if (index.segment(slot) === segment.number) {
          this.#forget(slot, segment);
        }
      }
      segment.slots.length = 0;
    }
    this.#drops = [];
    this.#clearing = true;
  }

  /** The journal has what the index does without: keys and tags. */
  async #purgeBy(
    means: (put: PutView) => boolean,
    cancelled: number,
  ): Promise<number> {
    const { files, index, complain } = this.#context;
    if (this.entries === 0 && this.settled) return 0;
    let count = cancelled;
    await this.run(async () => {
      await this.#flush();
      if (this.#journal === undefined) return;
      const path = this.#path("journal");
      const bytes = await files.readAll(path).catch((error) => {
        complain("read", error);
        return undefined;
      });
      const state = bytes && readJournal(bytes, {
        put: (put) => {
          if (!means(put)) return;
          const segment = this.#segments.get(put.segment);
          if (segment === undefined) return;
          const slot = index.at(put.hash, segment.number, put.offset);
          if (slot === NONE) return;
          this.#dropSlot(slot);
          count++;
        },
        drop: () => {},
        clear: () => {},
      });
      // What it does not tell of any more can't be forgotten one by one.
      if (state?.kind !== "whole" || state.length !== this.journalBytes) {
        count += this.entries;
        await this.#giveUp();
      } else await this.#flush(true);
    });
    return count;
  }

  /** Removes a segment and what it holds. */
  async #discard(segment: Segment): Promise<void> {
    const { files, index, segments, pool } = this.#context;
    if (segment.gone) return;
    segment.gone = true;
    segment.seal();
    if (this.#active.get(segment.kind) === segment) {
      this.#active.delete(segment.kind);
    }
    pool.forget(segment.path);
    await files.remove(segment.path).catch((error) =>
      this.#context.complain("remove", error)
    );
    // Found until its file is gone: a purge must meet what a crash might bring back.
    for (const slot of segment.slots) {
      if (index.segment(slot) === segment.number) this.#forget(slot, segment);
    }
    segments.remove(segment);
    this.#segments.delete(segment.id);
  }

  evict(segment: Segment, ghosts: Ghosts): Promise<void> {
    return this.run(async () => {
      if (segment.gone) return;
      this.#seal(segment);
      await this.#rescue(segment, ghosts);
      this.#context.evicted(segment.live);
      await this.#discard(segment);
    });
  }

  /** Writes what was of use into the main queue. */
  async #rescue(segment: Segment, ghosts: Ghosts): Promise<void> {
    const { index, bodies } = this.#context;
    const isNew = segment.kind === "small";
    for (const slot of new Set(segment.slots)) {
      if (index.segment(slot) !== segment.number) continue;
      const uses = index.uses(slot);
      const hash = index.hash(slot);
      if (uses <= (isNew ? 1 : 0)) {
        if (isNew) ghosts.add(hash, index.length(slot));
        continue;
      }
      const copy = new DiskCopy(slot, index.born(slot));
      const bytes = await this.#readRecord(segment, slot);
      const record = bytes &&
        decodeRecord(bytes, segment.id, index.offset(slot));
      if (record === undefined || !this.holds(copy)) continue;
      index.setUses(slot, isNew ? 0 : uses - 1);
      this.#puts.push({
        key: record.key,
        tags: record.head.tags,
        hash,
        check: index.check(slot),
        bytes: bytes!,
        body: bodies.get(slot),
        kind: "main",
        again: true,
        copy,
        done: () => {},
      });
    }
    if (this.#puts.length > 0) await this.#flush();
  }

  async #readRecord(
    segment: Segment,
    slot: number,
  ): Promise<Uint8Array | undefined> {
    const { index, pool, traffic, complain } = this.#context;
    const bytes = new Uint8Array(index.length(slot));
    try {
      const count = await pool.read(segment.path, bytes, index.offset(slot));
      traffic.read += count;
      return bytes;
    } catch (error) {
      complain("read", error);
      return undefined;
    }
  }

  // -------------------------------------------------------------- maintenance

  /** Writes the journal anew, without what is gone. */
  async #compact(): Promise<void> {
    const { files, index, complain } = this.#context;
    const path = this.#path("journal");
    const fresh = this.#path("journal.new");
    let file: AppendFile | undefined;
    try {
      const bytes = await files.readAll(path);
      if (bytes === undefined) throw new Error("The journal is gone");
      const batches = [journalHead()];
      let batch = new BatchWriter();
      let lines = 0;
      const state = readJournal(bytes, {
        put: (put) => {
          const segment = this.#segments.get(put.segment);
          if (segment === undefined) return;
          if (index.at(put.hash, segment.number, put.offset) === NONE) return;
          batch.copy(put.line);
          lines++;
          if (batch.length < MAX_WRITE) return;
          batches.push(batch.seal());
          batch = new BatchWriter();
        },
        drop: () => {},
        clear: () => {},
      });
      if (state.kind !== "whole" || state.length !== this.journalBytes) {
        return await this.#giveUp();
      }
      if (batch.lines > 0) batches.push(batch.seal());
      await files.remove(fresh);
      file = await files.append(fresh);
      let length = 0;
      for (const part of batches) {
        await file.append(part);
        length += part.length;
      }
      await file.sync();
      await files.rename(fresh, path);
      this.#journal!.close();
      this.#journal = file;
      this.journalBytes = length;
      this.#lines = lines;
      this.#context.traffic.written += length;
    } catch (error) {
      file?.close();
      complain("compact", error);
      // Not again at once: the journal still serves.
      this.#lines = 2 * this.entries;
    }
  }

  /** Writes what is still to be written and lets go of the folder. */
  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#closed = true;
    // What was forgotten while it was being written is told by the next batch.
    do await this.flush(); while (!this.settled);
    this.#ready = false;
    await this.run(() => {
      this.#giveUpPuts();
      for (const segment of this.#segments.values()) segment.seal();
      this.#journal?.close();
      this.#journal = undefined;
      this.#lock?.[Symbol.dispose]();
      this.#lock = undefined;
      return Promise.resolve();
    });
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const joined = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Segments and bodies, as their names tell. */
const OWN = /^(\d+)\.(small|main|body)$/;

/** What a journal tells of a folder. */
class LoadedShard {
  entries = 0;
  lines = 0;
  readonly #folder: string;
  readonly #owner: Shard;
  readonly #context: ShardContext;
  readonly #found: ReadonlyMap<string, number>;
  readonly #kinds = new Map<number, SegmentKind>();
  readonly #segments = new Map<number, Segment>();

  constructor(
    folder: string,
    owner: Shard,
    context: ShardContext,
    found: ReadonlyMap<string, number>,
  ) {
    this.#folder = folder;
    this.#owner = owner;
    this.#context = context;
    this.#found = found;
    for (const name of found.keys()) {
      const [, id, kind] = OWN.exec(name) ?? [];
      if (id === undefined) continue;
      context.segments.knowId(Number(id));
      if (kind === "small" || kind === "main") {
        this.#kinds.set(Number(id), kind);
      }
    }
  }

  put(put: PutView): void {
    const { index, bodies, segments } = this.#context;
    this.lines++;
    const { offset, length, bodyId, bodySize } = put;
    // A name that a line tells of must not get another meaning.
    this.#context.segments.knowId(Math.max(put.segment, bodyId));
    const segment = this.#segmentOf(put.segment);
    if (segment === undefined) return;
    // A file that lost its end with the power.
    if (offset + length > segment.fileBytes) return;
    const name = `${bodyId}.body`;
    if (bodyId !== 0 && this.#found.get(name) !== bodyFileSize(bodySize)) {
      return;
    }
    const slot = index.add(put.hash, put.check, {
      segment: segment.number,
      offset,
      length,
    });
    segment.slots.push(slot);
    segment.live++;
    this.entries++;
    if (bodyId === 0) return;
    const path = `${this.#folder}/${name}`;
    bodies.set(slot, new BodyFile(this.#context, path, bodyId, bodySize));
    segments.grow(segment, bodyFileSize(bodySize));
  }

  drop({ segment: id, offset, hash }: DropLine): void {
    this.lines++;
    const segment = this.#segments.get(id);
    if (segment === undefined) return;
    const slot = this.#context.index.at(hash, segment.number, offset);
    if (slot !== NONE) this.#remove(slot, segment);
  }

  clear(): void {
    this.lines++;
    const { index } = this.#context;
    for (const segment of this.#segments.values()) {
      for (const slot of segment.slots) {
        if (index.segment(slot) === segment.number) this.#remove(slot, segment);
      }
      segment.slots.length = 0;
    }
  }

  #remove(slot: number, segment: Segment): void {
    const { index, bodies, segments } = this.#context;
    const body = bodies.get(slot);
    if (body !== undefined) {
      // Another record may name the file: what is unused shows at the end.
      bodies.delete(slot);
      segments.grow(segment, -bodyFileSize(body.size));
    }
    index.remove(slot);
    segment.live--;
    this.entries--;
  }

  #segmentOf(id: number): Segment | undefined {
    const known = this.#segments.get(id);
    if (known !== undefined) return known;
    const kind = this.#kinds.get(id);
    if (kind === undefined) return undefined;
    const { segments } = this.#context;
    const name = `${id}.${kind}`;
    const path = `${this.#folder}/${name}`;
    const segment = new Segment(this.#owner, id, kind, path);
    segment.fileBytes = this.#found.get(name)!;
    segment.size = segment.fileBytes;
    this.#segments.set(id, segment);
    segments.add(segment);
    return segment;
  }

  /** The segments that hold something. */
  finish(): Segment[] {
    const { segments } = this.#context;
    const all = [...this.#segments.values()];
    for (const segment of all) {
      if (segment.live === 0) segments.remove(segment);
    }
    return all.filter(({ live }) => live > 0);
  }

  /** Names of files that nothing names. */
  unused(): string[] {
    const used = new Set<string>();
    const { bodies, index } = this.#context;
    for (const { live, id, kind, slots, number } of this.#segments.values()) {
      if (live === 0) continue;
      used.add(`${id}.${kind}`);
      for (const slot of slots) {
        const body = bodies.get(slot);
        if (body !== undefined && index.segment(slot) === number) {
          used.add(`${body.id}.body`);
        }
      }
    }
    return [...this.#found.keys()].filter((name) =>
      (OWN.test(name) && !used.has(name)) || name === "journal.new"
    );
  }
}
