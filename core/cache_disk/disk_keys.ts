/**
 * Keys as the index has them: all of a URL have one hash, and lie in one shard.
 *
 * @module
 */
import { textKey } from "../cache/text_key.ts";

/** Of the URL that a key begins with. */
export function hashOf(key: string): number {
  const tab = key.indexOf("\t");
  return textKey(tab < 0 ? key : key.slice(0, tab));
}

/** What tells keys of one URL apart: nothing for the URL itself. */
export function checkOf(key: string): number {
  return key.includes("\t") ? textKey(key) % 2 ** 32 : 0;
}
