/**
 * A response on its way from a backend into the store and to every client that
 * wants it, each at its own pace: read while written.
 *
 * @module
 */
import { asProxyError, type ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { StoredEntry, StoredHead, StoreWriter } from "./store.ts";

/** Bytes that the fastest reader may be ahead of the slowest where nothing is stored. */
const WINDOW = 1 << 20;

/** What a fill is made of. */
export interface FillParts {
  readonly key: string;
  readonly head: StoredHead;
  /** Bytes that are to come in all, undefined where nobody knows. */
  readonly size: number | undefined;
  /** The backend's body; null where it has none. */
  readonly body: BodyReader | null;
  readonly writer: StoreWriter;
  /** Stored bytes that come before the body's, and behind it: parts that it completes. */
  readonly before?: BodyReader | undefined;
  readonly after?: BodyReader | undefined;
  /** Entries that it takes the place of. */
  readonly replaced: readonly StoredEntry[];
  /**
   * Whether the writer's bytes are far away: those who read here then get
   * theirs from the pieces that pass, and only who falls behind asks the writer.
   */
  readonly distant?: boolean;
  /** Whether it goes on where nobody waits for it any more, so many bytes being stored. */
  readonly goesOnAlone: (stored: number) => boolean;
  /** Is told once, when all is over: the entry, where there is one, or why the body broke off. */
  readonly onEnd: (
    entry: StoredEntry | undefined,
    error: ProxyError | undefined,
  ) => void;
}

/** A piece of a body that is not stored. */
interface Piece {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** A response on its way that clients may read, here or in the worker that stores it. */
export interface OpenFill {
  readonly head: StoredHead;
  /** Bytes in all, undefined where that is not known yet. */
  readonly size: number | undefined;
  /** Whether who comes now may read it from its first byte on. */
  readonly open: boolean;
  /** Tells fills apart; later ones have greater numbers. */
  readonly serial: number;
  /** Makes sure that `read` gets its bytes; false where it is too late. Left out where that is always so. */
  join?(): Promise<boolean>;
  /** Reads bytes from `start` to before `end`, as they come. */
  read(start: number, end: number): ClientReader;
}

/** One client's way through a body that comes. */
export interface ClientReader extends BodyReader {
  /** The client is gone: who waits here is told. */
  giveUp(reason: ProxyError): void;
}

let serials = 0;

/** One response. */
export class Fill implements OpenFill {
  readonly serial = ++serials;
  readonly key: string;
  readonly head: StoredHead;
  readonly #size: number | undefined;
  /** Bytes that came so far. */
  length = 0;
  /** All of it is here. */
  done = false;
  error: ProxyError | undefined;
  readonly #parts: FillParts;
  /** Bytes that the store took; more than these lie in the window. */
  #stored = 0;
  #storing = true;
  #doomed = false;
  #window: Piece[] = [];
  readonly #readers = new Set<FillReader>();
  /** Those that wait for bytes, and the pump where it waits for readers. */
  #waiting: (() => void)[] = [];
  #pump: (() => void) | undefined;
  #ended = false;

  constructor(parts: FillParts) {
    this.key = parts.key;
    this.head = parts.head;
    this.#size = parts.size;
    this.#parts = parts;
  }

  get size(): number | undefined {
    return this.done ? this.length : this.#size;
  }

  /** Reads it all into the store. Without a promise where all is at hand. Never rejects. */
  run(): void | Promise<void> {
    for (const source of this.#sources()) {
      while (!source.last) {
        if (!source.advance()) return this.#runLater();
        const taken = this.#take(source);
        if (taken !== undefined) return this.#runLater(taken);
      }
    }
    return this.#finish();
  }

  #sources(): BodyReader[] {
    const { before, body, after } = this.#parts;
    return [before, body, after].filter((source) =>
      source !== undefined && source !== null
    );
  }

  async #runLater(taken?: Promise<void>): Promise<void> {
    try {
      await taken;
      for (const source of this.#sources()) {
        while (!source.last) {
          if (!source.advance() && !await source.next()) continue;
          await this.#take(source);
          if (this.#isUnwanted()) {
            this.#end(undefined);
            return;
          }
          if (this.#isAhead()) await this.#readersCatchUp();
        }
      }
    } catch (thrown) {
      this.error = asProxyError(thrown);
      this.#wake();
      this.#end(this.error);
      return;
    }
    await this.#finish();
  }

  /** The piece at hand goes to the store or, where that takes no more, to whoever reads. */
  #take(
    { bytes, start, end }: BodyReader,
  ): undefined | Promise<void> {
    if (end === start) return undefined;
    const piece = bytes.subarray(start, end);
    if (!this.#storing) {
      this.#give(piece);
      return undefined;
    }
    const taken = this.#parts.writer.append(piece);
    if (taken instanceof Promise) {
      return taken.then((took) => this.#took(piece, took));
    }
    this.#took(piece, taken);
    return undefined;
  }

  #took(piece: Uint8Array, took: boolean): void {
    if (!took) {
      this.#storing = false;
      this.#give(piece);
      return;
    }
    if (this.#parts.distant) this.#keepNear(piece);
    this.length += piece.length;
    this.#stored = this.length;
    this.#wake();
  }

  /** Keeps a piece for those who read here; who is too far behind by now gets his own way to the writer. */
  #keepNear(piece: Uint8Array): void {
    if (this.#readers.size === 0) return;
    this.#window.push({ start: this.length, bytes: piece.slice() });
    const ahead = this.length + piece.length - WINDOW;
    for (const reader of this.#readers) {
      if (reader.position < ahead) reader.fallBehind(this.#parts.writer);
    }
    this.#trim();
  }

  /** What is not stored is kept only as long as a reader wants it. */
  #give(piece: Uint8Array): void {
    this.#window.push({ start: this.length, bytes: piece.slice() });
    this.length += piece.length;
    this.#wake();
  }

  #isUnwanted(): boolean {
    return this.#readers.size === 0 &&
      (this.#doomed || !this.#storing ||
        !this.#parts.goesOnAlone(this.#stored));
  }

  #isAhead(): boolean {
    return !this.#storing && this.length - this.#slowest() > WINDOW;
  }

  #slowest(): number {
    let least = this.length;
    for (const { position, isBehind } of this.#readers) {
      if (!isBehind && position < least) least = position;
    }
    return least;
  }

  async #readersCatchUp(): Promise<void> {
    while (this.#isAhead() && !this.#isUnwanted()) {
      await new Promise<void>((resolve) => this.#pump = resolve);
    }
  }

  #finish(): void | Promise<void> {
    this.done = true;
    this.#wake();
    if (!this.#storing || this.#doomed) return this.#end(undefined);
    const { writer, head, replaced } = this.#parts;
    const entry = writer.commit(
      {
        ...head,
        length: head.status === 206 ? head.length : this.length,
      },
      replaced,
    );
    return entry instanceof Promise
      ? entry.then((later) => this.#end(undefined, later))
      : this.#end(undefined, entry);
  }

  #end(error: ProxyError | undefined, entry?: StoredEntry): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const source of this.#sources()) {
      if (!source.last) source.cancel();
    }
    // Who waits far away is to hear of it now, not when the last one here has left.
    if (this.#parts.distant && !this.done) this.#parts.writer.abort();
    this.#parts.onEnd(entry, error);
    this.#letGo();
  }

  /** What is not stored is readable until the last reader has it. */
  #letGo(): void {
    if (this.#ended && this.#readers.size === 0) {
      this.#parts.writer.abort();
      this.#window = [];
    }
  }

  /** It is not to be found any more: a purge or an unsafe request meant it. Who reads it goes on. */
  doom(): void {
    this.#doomed = true;
  }

  /** Whether who comes now may read it from its first byte on. */
  get open(): boolean {
    return this.#storing && !this.#doomed && !this.#ended &&
      this.error === undefined;
  }

  /** Reads bytes from `start` to before `end`, as they come. */
  read(start: number, end: number): FillReader {
    const reader = new FillReader(this, start, end, {
      left: () => this.#left(reader),
      moved: () => this.#moved(),
      wait: () => new Promise((resolve) => this.#waiting.push(resolve)),
      open: (position, until) => this.#open(position, until),
    });
    this.#readers.add(reader);
    return reader;
  }

  #left(reader: FillReader): void {
    this.#readers.delete(reader);
    this.#moved();
    this.#letGo();
  }

  #trim(): void {
    const slowest = this.#slowest();
    while (
      this.#window[0] !== undefined &&
      this.#window[0].start + this.#window[0].bytes.length <= slowest
    ) this.#window.shift();
  }

  /** A reader got on, or left. */
  #moved(): void {
    this.#trim();
    const pump = this.#pump;
    this.#pump = undefined;
    pump?.();
  }

  /** What there is from `position` on, at most to `until`. */
  #open(position: number, until: number): BodyReader | Uint8Array | undefined {
    const end = Math.min(until, this.length);
    if (position >= end) return undefined;
    const { writer, distant } = this.#parts;
    if (!distant && position < this.#stored) {
      return writer.read(position, Math.min(end, this.#stored));
    }
    const piece = this.#window.find(({ start, bytes }) =>
      position >= start && position < start + bytes.length
    );
    return piece === undefined
      ? writer.read(position, until)
      : piece.bytes.subarray(position - piece.start, end - piece.start);
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** What a reader has of its fill. */
interface Source {
  left(): void;
  moved(): void;
  wait(): Promise<void>;
  open(position: number, until: number): BodyReader | Uint8Array | undefined;
}

/** One client's way through a fill. */
export class FillReader implements ClientReader {
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  last = false;
  readonly headroom = 0;
  readonly tailroom = 0;
  /** How far it has come. */
  position: number;
  readonly #fill: Fill;
  readonly #end: number;
  readonly #source: Source;
  #stored: (BodyReader & Partial<ClientReader>) | undefined;
  #behind = false;
  #given: ProxyError | undefined;
  #release: (() => void) | undefined;

  constructor(fill: Fill, start: number, end: number, source: Source) {
    this.#fill = fill;
    this.position = start;
    this.#end = end;
    this.#source = source;
  }

  /** Whether it reads what the writer has and not what passes. */
  get isBehind(): boolean {
    return this.#behind;
  }

  /** Reads from the writer from here on: it is too slow for what passes. */
  fallBehind(writer: StoreWriter): void {
    if (this.#behind) return;
    this.#behind = true;
    this.#stored = writer.read(this.position, this.#end);
  }

  advance(): boolean {
    if (this.last) {
      this.start = this.end = 0;
      return true;
    }
    const inner = this.#stored;
    if (inner !== undefined && !inner.last) {
      if (!inner.advance()) return false;
      return this.#show(inner.bytes, inner.start, inner.end);
    }
    const next = this.#source.open(this.position, this.#end);
    if (next instanceof Uint8Array) return this.#show(next, 0, next.length);
    this.#stored = next;
    if (next !== undefined) return this.advance();
    if (this.position < this.#end && !this.#fill.done) return false;
    // Whatever was declared is checked by who writes it.
    this.#leave();
    this.start = this.end = 0;
    return true;
  }

  async next(): Promise<boolean> {
    for (;;) {
      if (this.last) return false;
      if (this.advance()) return this.end > this.start;
      const inner = this.#stored;
      if (inner !== undefined && !inner.last) {
        if (!await this.#nextOf(inner)) continue;
        return this.#show(inner.bytes, inner.start, inner.end);
      }
      this.#check();
      await new Promise<void>((resolve) => {
        this.#release = resolve;
        this.#source.wait().then(resolve);
      });
      this.#check();
    }
  }

  async #nextOf(inner: BodyReader): Promise<boolean> {
    try {
      return await inner.next();
    } catch (thrown) {
      this.#leave();
      throw thrown;
    }
  }

  #check(): void {
    const error = this.#given ?? this.#fill.error;
    if (error === undefined) return;
    if (this.#given === undefined && this.position < this.#fill.length) return;
    this.#leave();
    throw error;
  }

  #show(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.position += end - start;
    const { done, length } = this.#fill;
    if (this.position >= this.#end || (done && this.position >= length)) {
      this.#leave();
    } else this.#source.moved();
    return true;
  }

  cancel(): void {
    this.#leave();
  }

  giveUp(reason: ProxyError): void {
    this.#given = reason;
    this.#stored?.giveUp?.(reason);
    this.#release?.();
  }

  #leave(): void {
    if (this.last) return;
    this.last = true;
    if (this.#behind && !this.#stored!.last) this.#stored!.cancel();
    this.#source.left();
  }
}

const EMPTY = new Uint8Array(0);
