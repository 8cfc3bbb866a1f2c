/**
 * Bytes as text, one character a byte: HTTP's heads are bytes, and
 * `TextDecoder("latin1")` would decode windows-1252.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** The bytes of a text of which each character is one byte. */
export function latin1Bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** The text of bytes, one character each. */
export function latin1Text(bytes: Uint8Array): string {
  const { buffer, byteOffset, length } = bytes;
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}
