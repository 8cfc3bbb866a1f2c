/**
 * What balancing policies see, made by hand.
 *
 * @module
 */
import type { Member, PickContext } from "../../core/balance/policy.ts";
import { FakeRequest, type FakeRequestInit } from "./fake_request.ts";

/** A backend whose weight and load a test sets. */
export class FakeMember implements Member {
  readonly id: string;
  weight: number;
  load: number;

  constructor(id: string, weight = 1, load = 0) {
    this.id = id;
    this.weight = weight;
    this.load = load;
  }
}

/** Members called m0, m1, … of these weights. */
export function membersOf(weights: readonly number[]): FakeMember[] {
  return weights.map((weight, i) => new FakeMember(`m${i}`, weight));
}

/** For a client, without a request unless one is described. */
export function pickFor(
  clientAddress = "192.0.2.1",
  request?: FakeRequestInit,
): PickContext {
  return {
    clientAddress,
    request: request && new FakeRequest({ clientAddress, ...request }),
  };
}

/** Numbers from 0 to below 1, the same in every run (Park and Miller's generator). */
export function seededRandom(seed: number): () => number {
  let state = seed % 0x7fffffff || 1;
  return () => {
    state = state * 48_271 % 0x7fffffff;
    return (state - 1) / 0x7ffffffe;
  };
}
