/**
 * Blocks of PEM files (RFC 7468).
 *
 * @module
 */

/** One block. */
export interface PemBlock {
  /** What BEGIN says, e.g. `CERTIFICATE`. */
  readonly label: string;
  /** The block with its lines BEGIN and END. */
  readonly text: string;
  /** What it holds; nothing where that is not base64. */
  readonly bytes: Uint8Array;
}

/** Every block of a text; whatever stands between them is a comment. */
export function pemBlocks(text: string): PemBlock[] {
  const pattern = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g;
  return Array.from(text.matchAll(pattern)).map(([block, label, body]) => {
    // Headers (of old encrypted keys) stand before an empty line.
    const base64 = body!.replace(/^[^]*:[^]*?\r?\n\r?\n/, "").replace(
      /\s+/g,
      "",
    );
    return { label: label!, text: block, bytes: decode(base64) };
  });
}

function decode(base64: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch (thrown) {
    if (thrown instanceof DOMException) return new Uint8Array(0);
    throw thrown;
  }
}
