/**
 * A ring of equal arcs, each owned by one member: what consistent hashing looks
 * keys up in.
 *
 * The usual ring has points, as many of each member as its weight says times a
 * unit. No unit fits weights from 0.1 to 10,000, and one that follows the weights
 * moves everybody's points when a single weight changes. So the arcs are fixed
 * here, and contended for by weighted rendezvous: each member owns its share of
 * them within a few percent, fractions of weights count, a look-up is one array
 * access, and a change of one member moves no arc between two others. Who owns an
 * arc follows from the members alone, never from what was before: workers and
 * machines agree.
 *
 * @module
 */
import { arrivalOf, hashName, type NameHash, wins } from "./rendezvous.ts";
import type { Share } from "./turns.ts";

const ARC_BITS = 13;

/**
 * How many arcs. With 10 members of one weight a share is off by 3 % (one
 * standard deviation), and the 10th gets 10 % ± 0.3 % of the keys.
 */
export const ARCS = 2 ** ARC_BITS;

/** The arc of a hashed key. */
export function arcOf(hash: number): number {
  return hash >>> (32 - ARC_BITS);
}

interface Contender {
  readonly id: string;
  readonly name: NameHash;
  readonly weight: number;
}

/** Arcs and their owners. */
export class HashRing {
  #contenders: readonly Contender[] = [];
  /** Owners by arc: places in the last update; -1 without members. */
  readonly #owners = new Int32Array(ARCS).fill(-1);
  /** When the owner arrived, by arc. */
  readonly #arrivals = new Float64Array(ARCS);

  /** The place of the arc's owner in the last update; -1 without members. */
  owner(arc: number): number {
    return this.#owners[arc]!;
  }

  /**
   * Who owns arcs from now on. Costs about 0.1 ms for each member that is new,
   * gone, or of another weight, and next to nothing without changes.
   */
  update(shares: readonly Share[]): void {
    const before = new Map(
      this.#contenders.map((contender, place) => [
        contender.id,
        { contender, place },
      ]),
    );
    const rising: number[] = [];
    const places = new Int32Array(this.#contenders.length).fill(-1);
    const kept = new Uint8Array(this.#contenders.length);
    let same = shares.length === this.#contenders.length;
    const contenders = shares.map(({ id, weight }, place): Contender => {
      const known = before.get(id);
      same &&= known?.place === place && known.contender.weight === weight;
      if (known === undefined) {
        rising.push(place);
        return { id, name: hashName(id), weight };
      }
      places[known.place] = place;
      const old = known.contender;
      if (weight > old.weight) rising.push(place);
      // One that lost weight contends anew for what it owns.
      kept[known.place] = weight < old.weight ? 0 : 1;
      return weight === old.weight ? old : { ...old, weight };
    });
    if (same) return;
    this.#contenders = contenders;
    const owners = this.#owners;
    for (let arc = 0; arc < ARCS; arc++) {
      const owner = owners[arc]!;
      if (owner >= 0 && kept[owner] === 1) {
        owners[arc] = places[owner]!;
        for (const place of rising) this.#contend(arc, place);
      } else {
        owners[arc] = -1;
        for (let place = 0; place < contenders.length; place++) {
          this.#contend(arc, place);
        }
      }
    }
  }

  /** The member at `place` takes the arc if it arrives before the owner. */
  #contend(arc: number, place: number): void {
    const { id, name, weight } = this.#contenders[place]!;
    const owner = this.#owners[arc]!;
    const best = owner < 0 ? Infinity : this.#arrivals[arc]!;
    const arrival = arrivalOf(arc, name, weight, best);
    if (owner < 0 || wins(arrival, id, best, this.#contenders[owner]!.id)) {
      this.#owners[arc] = place;
      this.#arrivals[arc] = arrival;
    }
  }
}
