/**
 * Weighted rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings
 * to increase hit rates", 1998; weights as Schindelhauer and Schomaker, "Weighted
 * distributed hash tables", 2005): for every key all contenders run a race whose
 * times are drawn by hash, the faster the greater the weight. Shares are as the
 * weights say, whatever their unit; when a weight changes, keys move to or from
 * that contender alone.
 *
 * @module
 */
import { hashText, mix } from "./text_hash.ts";

/** A name in 64 bits: with 32, one set of 1,000 names in 8,600 would hold two that always tie. */
export interface NameHash {
  readonly a: number;
  readonly b: number;
}

/** The hash of a contender's name. */
export function hashName(name: string): NameHash {
  return { a: hashText(name, 0x9e3779b9), b: hashText(name, 0x7f4a7c15) };
}

/**
 * When a contender of this weight and name arrives for a hashed key: the earliest
 * wins. Later than `best` it may be said too early, but never before `best`: that
 * saves the logarithm for nearly all who lose.
 */
export function arrivalOf(
  key: number,
  name: NameHash,
  weight: number,
  best: number,
): number {
  // Between 0 and 1, both left out.
  const drawn = (mix((mix(key ^ name.a) + name.b) | 0) + 0.5) / 2 ** 32;
  // -ln x is always more than 1 - x.
  const least = (1 - drawn) / weight;
  // The time to an event that happens `weight` times in a unit of it.
  return least > best ? least : -Math.log(drawn) / weight;
}

/** Whether an arrival wins; ties, which are rare, go by name, so that all agree. */
export function wins(
  arrival: number,
  name: string,
  best: number,
  bestName: string,
): boolean {
  return arrival < best || (arrival === best && name < bestName);
}
