/**
 * How many retries a cluster bears: a share of its requests, so that a cluster
 * in trouble does not get a multiple of its load (Finagle's and Envoy's retry
 * budgets).
 *
 * @module
 */

/** The window, in seconds. */
const WINDOW = 10;

/** Retries a second that are allowed whatever the share: a cluster with few requests may retry, too. */
const MIN_PER_SECOND = 3;

interface Second {
  /** Which second it counts. */
  at: number;
  requests: number;
  retries: number;
}

/** Counts the last ten seconds of one cluster. Times are monotonic milliseconds. */
export class RetryBudget {
  readonly #seconds: Second[] = Array.from({ length: WINDOW }, () => ({
    at: -1,
    requests: 0,
    retries: 0,
  }));
  /** The latest second that was counted in. */
  #latest = -1;

  /** A request has come; one that is told of late counts as one of now. */
  request(now: number): void {
    this.#second(now).requests++;
  }

  /** Takes a retry out of the budget: `share` of the requests; false where it is used up. */
  take(now: number, share: number): boolean {
    const second = this.#second(now);
    let requests = 0;
    let retries = 0;
    for (const each of this.#seconds) {
      if (each.at <= second.at - WINDOW) continue;
      requests += each.requests;
      retries += each.retries;
    }
    const allowed = Math.max(MIN_PER_SECOND * WINDOW, share * requests);
    if (retries + 1 > allowed) return false;
    second.retries++;
    return true;
  }

  #second(now: number): Second {
    // An earlier one would take the place of one that still counts.
    const at = this.#latest = Math.max(
      this.#latest,
      Math.floor(now / 1_000),
    );
    const second = this.#seconds[at % WINDOW]!;
    if (second.at !== at) {
      second.at = at;
      second.requests = 0;
      second.retries = 0;
    }
    return second;
  }
}
