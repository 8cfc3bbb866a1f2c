/**
 * Random lives of a subcluster's members, for property tests of policies.
 *
 * @module
 */
import fc from "fast-check";
import { FakeMember } from "../../support/fake_member.ts";

/** How a member changes. */
export interface MemberChange {
  readonly up: boolean;
  readonly weight: number;
  readonly load: number;
}

/** What happens before some picks: members change, then those of `excluded` are left out by turns. */
export interface Phase {
  readonly changes: readonly MemberChange[];
  /** Who is not usable, pick after pick, again and again; undefined: everybody is. */
  readonly excluded: readonly (readonly number[] | undefined)[];
  readonly picks: number;
}

/** Weights as configs have them, and as slow start makes them. */
export const weights: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1, max: 10 }),
  fc.integer({ min: 1, max: 10_000 }),
  fc.double({ min: 0.01, max: 100, noNaN: true }),
);

/** Lives of up to 8 members in phases. */
export function lives(
  maxPhases: number,
  maxPicks: number,
): fc.Arbitrary<readonly Phase[]> {
  return fc.integer({ min: 1, max: 8 }).chain((count) => {
    const change = fc.record({
      up: fc.boolean(),
      weight: weights,
      load: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(1_000)),
    });
    const phase = fc.record({
      changes: fc.array(change, { minLength: count, maxLength: count }),
      excluded: fc.array(
        fc.option(fc.array(fc.nat(count - 1), { maxLength: count }), {
          nil: undefined,
        }),
        { minLength: 1, maxLength: 8 },
      ),
      picks: fc.integer({ min: 1, max: maxPicks }),
    });
    return fc.array(phase, { minLength: 1, maxLength: maxPhases });
  });
}

/** Members that live as phases say: they keep their ids, and become other objects now and then, as after a reload. */
export class LivingMembers {
  #all: FakeMember[] = [];
  #phases = 0;

  /** Those that are up in this phase, in the config's order. */
  enter({ changes }: Phase): FakeMember[] {
    const reload = this.#phases++ % 3 === 0;
    this.#all = changes.map(({ weight, load }, i) => {
      const member = reload
        ? new FakeMember(`m${i}`)
        : this.#all[i] ?? new FakeMember(`m${i}`);
      return Object.assign(member, { weight, load });
    });
    return this.#all.filter((_, i) => changes[i]!.up);
  }

  /** What policies are asked for the pick of this number. */
  usable(
    phase: Phase,
    pick: number,
  ): ((member: FakeMember) => boolean) | undefined {
    const out = phase.excluded[pick % phase.excluded.length];
    return out && ((member) => !out.some((i) => this.#all[i] === member));
  }
}
