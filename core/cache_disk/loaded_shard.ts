/**
 * A shard as its journal tells of it, line by line, believed as far as the
 * folder has the files.
 *
 * @module
 */
import { BodyFile, bodyFileSize } from "./body_files.ts";
import { NONE } from "./disk_index.ts";
import type { DropLine, JournalVisitor, PutView } from "./journal.ts";
import {
  Segment,
  type SegmentKind,
  type SegmentOwner,
  slotsIn,
} from "./segments.ts";
import type { ShardContext } from "./shard_context.ts";

/** Segments and bodies, as their names tell. */
const OWN = /^(\d+)\.(small|main|body)$/;

/** What a journal tells of a folder. */
export class LoadedShard implements JournalVisitor {
  /** Entries that are found. */
  entries = 0;
  /** Lines that were told of. */
  lines = 0;
  readonly #folder: string;
  readonly #owner: SegmentOwner;
  readonly #context: ShardContext;
  readonly #found: ReadonlyMap<string, number>;
  readonly #kinds = new Map<number, SegmentKind>();
  readonly #segments = new Map<number, Segment>();

  /** `found`: names of the folder's files, with their bytes. */
  constructor(
    folder: string,
    owner: SegmentOwner,
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
    segments.knowId(Math.max(put.segment, bodyId));
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
      for (const slot of slotsIn(segment, index)) this.#remove(slot, segment);
      segment.slots.length = 0;
    }
  }

  /** Nothing of what was told counts. */
  giveUp(): void {
    this.clear();
    this.lines = 0;
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
    for (const segment of this.#segments.values()) {
      if (segment.live === 0) continue;
      used.add(`${segment.id}.${segment.kind}`);
      for (const slot of slotsIn(segment, index)) {
        const body = bodies.get(slot);
        if (body !== undefined) used.add(`${body.id}.body`);
      }
    }
    return [...this.#found.keys()].filter((name) =>
      (OWN.test(name) && !used.has(name)) || name === "journal.new"
    );
  }
}
