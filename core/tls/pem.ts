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
  /** What it holds. */
  readonly bytes: Uint8Array;
}

/** Every block of a text whose contents are base64; whatever stands between them is a comment. */
export function pemBlocks(text: string): PemBlock[] {
  const pattern = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g;
  return Array.from(text.matchAll(pattern)).flatMap(([block, label, body]) => {
    // Headers (of old encrypted keys) stand before an empty line.
    const base64 = body!.replace(/^[^]*:[^]*?\r?\n\r?\n/, "").replace(
      /\s+/g,
      "",
    );
    try {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      return [{ label: label!, text: block, bytes }];
    } catch (thrown) {
      // Not base64: no block, as whoever looks for one will say.
      if (thrown instanceof DOMException) return [];
      throw thrown;
    }
  });
}
