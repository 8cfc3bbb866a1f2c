/**
 * The checksum of a PROXY header of version 2.
 *
 * @module
 */

/** The polynomial with its bits reversed (RFC 4960 appendix B). */
const POLYNOMIAL = 0x82f63b78;

/** The remainder of each byte; made for the first header that has a checksum. */
let table: Int32Array | undefined;

/** The CRC32c of bytes, from 0 to 2³² - 1. */
export function crc32c(bytes: Uint8Array): number {
  table ??= makeTable();
  let crc = ~0;
  for (const byte of bytes) {
    crc = table[(crc ^ byte) & 0xff]! ^ crc >>> 8;
  }
  return ~crc >>> 0;
}

function makeTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc >>> 1 ^ ((crc & 1) === 0 ? 0 : POLYNOMIAL);
    }
    return crc;
  });
}
