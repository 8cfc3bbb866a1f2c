/**
 * A request's body that was read whole before anybody works with it: in memory
 * up to a bound, the rest in a file that has no name any more.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { HEADROOM, type RequestBody } from "./body.ts";
import { type BodyFile, type BodyFiles, TemporaryFiles } from "./body_files.ts";
import { KeptPieces } from "./kept_pieces.ts";

/** How much may be kept where. */
export interface BufferLimits {
  /** Bytes in memory. */
  readonly bytes: number;
  /** Bytes on disk beyond; undefined = none. */
  readonly disk: number | undefined;
}

/** Bytes of the file that are read at a time. */
const PIECE = 64 << 10;

/** A longer body is not taken for JSON: parsing it would hold up everybody else. */
export const MAX_JSON = 1 << 20;

const EMPTY = new Uint8Array(HEADROOM);

const TEMPORARY = new TemporaryFiles();

/**
 * Reads a body whole. Rejects with a ProxyError: the body's own, `body_too_large`
 * for one that exceeds both bounds, `buffer_failed` where the disk does not take it.
 */
export async function bufferBody(
  source: RequestBody,
  limits: BufferLimits,
  files: BodyFiles = TEMPORARY,
): Promise<BufferedBody> {
  const buffered = new BufferedBody(limits, files);
  try {
    while (!source.last) {
      if (!source.advance() && !await source.next()) continue;
      const { bytes, start, end } = source;
      await buffered.append(bytes.subarray(start, end));
    }
    return buffered;
  } catch (thrown) {
    buffered.dispose();
    throw thrown;
  }
}

/** Throws `body_too_large` for a length, -1 for an unknown one, that exceeds both bounds. */
export function checkBuffered(
  length: number,
  { bytes, disk = 0 }: BufferLimits,
): void {
  if (length <= bytes + disk) return;
  throw new ProxyError(
    "body_too_large",
    `The body exceeds the ${bytes + disk} bytes that are buffered`,
  );
}

/** A whole body; can be read again and again. */
export class BufferedBody implements RequestBody {
  /** Bytes of the whole. */
  length = 0;
  bytes: Uint8Array = EMPTY;
  start = HEADROOM;
  end = HEADROOM;
  readonly headroom = HEADROOM;
  readonly tailroom = 0;
  readonly replayable = true;
  readonly #limits: BufferLimits;
  readonly #files: BodyFiles;
  /** Pieces in memory, each behind its headroom. */
  readonly #kept = new KeptPieces();
  #inMemory = 0;
  #file: BodyFile | undefined;
  /** The last use of the file: it has one place where it is read. */
  #used: Promise<unknown> = Promise.resolve();
  #onDisk = 0;
  /** Parsed once. */
  #json: { readonly value: unknown } | undefined;
  /** How many pieces, then bytes of the file, were given. */
  #given = 0;
  #position = 0;

  constructor(limits: BufferLimits, files: BodyFiles = TEMPORARY) {
    this.#limits = limits;
    this.#files = files;
  }

  /** Of bytes that are at hand. */
  static of(bytes: Uint8Array): BufferedBody {
    const body = new BufferedBody({ bytes: bytes.length, disk: undefined });
    body.length = bytes.length;
    if (bytes.length > 0) body.#keep(bytes);
    return body;
  }

  /** Adds a piece. Rejects with a ProxyError. */
  async append(piece: Uint8Array): Promise<void> {
    const { bytes } = this.#limits;
    this.length += piece.length;
    const room = Math.min(bytes - this.#inMemory, piece.length);
    if (room > 0) this.#keep(piece.subarray(0, room));
    if (room === piece.length) return;
    const rest = piece.subarray(room);
    this.#onDisk += rest.length;
    checkBuffered(this.length, this.#limits);
    await this.#write(rest);
  }

  #keep(piece: Uint8Array): void {
    this.#kept.add(piece);
    this.#inMemory += piece.length;
  }

  /** What it says as JSON; undefined where it is none, has more than {@linkcode MAX_JSON} bytes, or lies on disk. */
  json(): unknown {
    if (this.length > MAX_JSON || this.#onDisk > 0) return undefined;
    this.#json ??= { value: this.#parse() };
    return this.#json.value;
  }

  #parse(): unknown {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    try {
      const texts = this.#kept.pieces.map((piece) =>
        decoder.decode(piece.subarray(HEADROOM), { stream: true })
      );
      return JSON.parse(texts.join("") + decoder.decode());
    } catch (thrown) {
      // Broken UTF-8 or no JSON: clients may send what they like.
      if (thrown instanceof TypeError || thrown instanceof SyntaxError) {
        return undefined;
      }
      throw thrown;
    }
  }

  /** The whole, for who wants to look into it. Rejects with a ProxyError. */
  async read(): Promise<Uint8Array<ArrayBuffer>> {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.#kept.pieces) {
      whole.set(piece.subarray(HEADROOM), at);
      at += piece.length - HEADROOM;
    }
    if (this.#onDisk > 0) await this.#read(0, whole.subarray(at));
    return whole;
  }

  get last(): boolean {
    return this.#given === this.#kept.pieces.length &&
      this.#position === this.#onDisk;
  }

  advance(): boolean {
    const piece = this.#kept.pieces[this.#given];
    if (piece !== undefined) {
      this.#given++;
      this.#show(piece);
      return true;
    }
    if (!this.last) return false;
    this.#show(EMPTY);
    return true;
  }

  async next(): Promise<boolean> {
    if (this.last) return false;
    if (this.advance()) return true;
    const size = Math.min(PIECE, this.#onDisk - this.#position);
    const piece = new Uint8Array(HEADROOM + size);
    await this.#read(this.#position, piece.subarray(HEADROOM));
    this.#position += size;
    this.#show(piece);
    return true;
  }

  cancel(): void {
    // Nothing is on its way that could be spared.
  }

  resume(): void {
    // Nothing was given up.
  }

  /** Starts over. */
  rewind(): void {
    this.#given = 0;
    this.#position = 0;
    this.#show(EMPTY);
  }

  /** Nobody wants it any more. */
  dispose(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #show(piece: Uint8Array): void {
    this.bytes = piece;
    this.end = piece.length;
  }

  async #write(piece: Uint8Array): Promise<void> {
    try {
      this.#file ??= await this.#files.open();
      let written = 0;
      while (written < piece.length) {
        written += await this.#file.write(piece.subarray(written));
      }
    } catch (thrown) {
      throw failed("buffer the body on disk", thrown);
    }
  }

  /** Fills `into` from a place of the file; a handler may look into it while it is sent. */
  #read(position: number, into: Uint8Array): Promise<void> {
    const read = this.#used.then(() => this.#readNow(position, into));
    this.#used = read.catch(() => {});
    return read;
  }

  async #readNow(position: number, into: Uint8Array): Promise<void> {
    try {
      if (this.#file === undefined) throw new Error("its transaction is over");
      await this.#file.seek(position, Deno.SeekMode.Start);
      let at = 0;
      while (at < into.length) {
        const count = await this.#file.read(into.subarray(at));
        if (count === null) throw new Error("it is cut short");
        at += count;
      }
    } catch (thrown) {
      throw failed("read the buffered body", thrown);
    }
  }
}

function failed(what: string, thrown: unknown): ProxyError {
  const reason = thrown instanceof Error ? thrown.message : thrown;
  return new ProxyError("buffer_failed", `Cannot ${what}: ${reason}`, {
    cause: thrown,
  });
}
