/**
 * Files of certificates for configs that name them.
 *
 * @module
 */
import type { Identity } from "./certificates.ts";

/** Writes pairs into a folder as `NAME.crt` and `NAME.key`; the entries of a config's `certificates`. */
export async function writePairs(
  folder: string,
  pairs: Readonly<Record<string, Identity>>,
): Promise<{ cert: string; key: string }[]> {
  const entries = [];
  for (const [name, { cert, key }] of Object.entries(pairs)) {
    const entry = {
      cert: `${folder}/${name}.crt`,
      key: `${folder}/${name}.key`,
    };
    await Deno.writeTextFile(entry.cert, cert);
    await Deno.writeTextFile(entry.key, key);
    entries.push(entry);
  }
  return entries;
}

/** Reads any path ending in `.key` as the pair's key, any other as its certificate: for samples that name files. */
export function readPair(pair: Identity): (path: string) => Promise<string> {
  return (path) =>
    Promise.resolve(path.endsWith(".key") ? pair.key : pair.cert);
}
