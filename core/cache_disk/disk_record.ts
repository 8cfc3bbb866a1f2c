/**
 * What a stored response looks like on disk: a record in a segment, with its
 * body where that is small; else the body lies in a file of its own, in pieces
 * with a checksum each.
 *
 * Each checksum is begun with the place that its bytes are for, so that bytes
 * that came to lie elsewhere are not taken for whole.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import type { StoredHead } from "../cache/store.ts";

/** Grows with each change of what lies on disk: what has another one is thrown away. */
export const FORMAT = 1;

const MAGIC = 0x48_52_43_31;
/** Bytes before the meta data. */
const FIXED = 36;
/** Where the head's checksum lies, behind what it is of. */
const CHECKSUM = 32;

/** Bytes of a body that lies in its record; longer ones have a file. */
export const MAX_INLINE = 256 << 10;
/** Bytes of a piece of a body's file, its checksum not counted. */
export const PIECE_BYTES = 256 << 10;
/** Bytes behind each piece. */
export const PIECE_CHECKSUM = 4;

/** A body with a file. */
export interface BodyOnDisk {
  /** The file's name as a number. */
  readonly id: number;
  readonly size: number;
}

/** A record that was read, all of it verified. */
export interface DiskRecord {
  readonly key: string;
  readonly head: StoredHead;
  /** The body where it has no file. */
  readonly inline: Uint8Array;
  readonly body: BodyOnDisk | undefined;
}

/** A record that still lacks its place: `sealRecord` completes it. */
export function encodeRecord(
  key: string,
  head: StoredHead,
  body: BodyOnDisk | number,
): { readonly bytes: Uint8Array; readonly inline: Uint8Array } {
  const meta = encoder.encode(JSON.stringify([key, head]));
  const length = typeof body === "number" ? body : 0;
  const bytes = new Uint8Array(FIXED + meta.length + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, meta.length);
  view.setUint32(8, length);
  if (typeof body !== "number") {
    view.setFloat64(16, body.id);
    view.setFloat64(24, body.size);
  }
  bytes.set(meta, FIXED);
  return { bytes, inline: bytes.subarray(FIXED + meta.length) };
}

/** Puts the checksums in. */
export function sealRecord(
  bytes: Uint8Array,
  segment: number,
  offset: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const meta = view.getUint32(4);
  view.setUint32(12, crc32(bytes.subarray(FIXED + meta)));
  view.setUint32(CHECKSUM, headChecksum(bytes, meta, segment, offset));
}

function headChecksum(
  bytes: Uint8Array,
  meta: number,
  segment: number,
  offset: number,
): number {
  const seed = crc32(bytes.subarray(0, CHECKSUM), placeSeed(segment, offset));
  return crc32(bytes.subarray(FIXED, FIXED + meta), seed);
}

/** Reads a record; undefined where a single bit is not as it was written. */
export function decodeRecord(
  bytes: Uint8Array,
  segment: number,
  offset: number,
): DiskRecord | undefined {
  if (bytes.length < FIXED) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC) return undefined;
  const meta = view.getUint32(4);
  const length = view.getUint32(8);
  if (FIXED + meta + length !== bytes.length) return undefined;
  if (
    view.getUint32(CHECKSUM) !== headChecksum(bytes, meta, segment, offset)
  ) return undefined;
  const inline = bytes.subarray(FIXED + meta);
  if (view.getUint32(12) !== crc32(inline)) return undefined;
  const [key, head] = JSON.parse(
    decoder.decode(bytes.subarray(FIXED, FIXED + meta)),
  ) as [string, StoredHead];
  const id = view.getFloat64(16);
  return {
    key,
    // JSON leaves out what is undefined.
    head: {
      ...head,
      length: head.length,
      ttl: head.ttl,
      stale: head.stale,
    },
    inline,
    body: id === 0 ? undefined : { id, size: view.getFloat64(24) },
  };
}

/** The checksum of a body's piece. */
export function pieceChecksum(
  piece: Uint8Array,
  id: number,
  number: number,
): number {
  return crc32(piece, placeSeed(id, number));
}

const place = new Uint8Array(16);
const placeView = new DataView(place.buffer);

function placeSeed(id: number, offset: number): number {
  placeView.setFloat64(0, id);
  placeView.setFloat64(8, offset);
  return crc32(place);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
