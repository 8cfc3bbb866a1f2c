/**
 * A cluster in one snapshot: which of its backends gets the next attempt.
 *
 * @module
 */
import type { ClusterConfig } from "../config/config.ts";
import type {
  Backend,
  BackendSettings,
  BackendShare,
} from "../connect/backend.ts";
import type { Epoch } from "../health/shared_health.ts";
import type { Clock } from "../net/clock.ts";
import { type Offer, offerMembers } from "./backups.ts";
import type { ClusterLife } from "./cluster_life.ts";
import { createPolicy, type PolicyOptions } from "./create_policy.ts";
import { hashKey } from "./hash_key.ts";
import type { SeatCounts } from "../shared/seat_counts.ts";
import { type PickContext, type Policy, UNTOLD } from "./policy.ts";
import { RetryRules } from "./retry_rules.ts";
import type { QueueLimits } from "./slot_queue.ts";
import { StickyCookie } from "./sticky_cookie.ts";
import {
  SubclusterChoice,
  type SubclusterPick,
  type SubclusterShare,
} from "./subclusters.ts";

/** What a cluster needs of its surroundings. */
export interface ClusterSurroundings {
  /** Tells when backends have to be looked at anew. */
  readonly epoch: Epoch;
  readonly clock: Clock;
  readonly life: ClusterLife;
  /** Counts those that wait for slots over all workers; left out where there is one worker only. */
  readonly waiting?: SeatCounts | undefined;
  /** What sticky cookies are signed with. */
  readonly secret: Uint8Array;
  /** Plugins' policies, and where their failures are told. */
  readonly policies: Pick<PolicyOptions, "custom" | "failed">;
}

/** A backend with what this snapshot says of it. */
export interface ClusterMember {
  readonly backend: Backend;
  readonly share: BackendShare;
}

/** What was tried before. */
export interface Tried {
  readonly excluded: ReadonlySet<Backend>;
  /** The first attempt's subcluster: the next one stays there where it can. */
  readonly subcluster: string;
  /** Whether it may go elsewhere. */
  readonly mayCross: boolean;
}

/** The request is answered 503 on purpose. */
export const BLACKHOLE = Symbol("blackhole");

/** What the next pick would be. */
export interface ClusterPeek {
  /** Undefined where the request comes to none. */
  readonly subcluster: string | undefined;
  /** `UNTOLD` where the policy can't tell before. */
  readonly pick: Backend | typeof BLACKHOLE | typeof UNTOLD | undefined;
}

/** A subcluster with those that may be picked. */
interface Group extends SubclusterShare {
  readonly all: readonly Backend[];
  readonly policy: Policy<Backend>;
  /** How many may be picked now. */
  members: number;
  offered: readonly Backend[];
}

/** How a cluster is asked: to take turns, or only for who would be next. */
interface Hand<A> {
  group(
    choice: SubclusterChoice<Group>,
    context: PickContext,
    usable: ((group: Group) => boolean) | undefined,
    again: boolean,
  ): SubclusterPick<Group> | undefined;
  backend(
    group: Group,
    context: PickContext,
    usable: ((backend: Backend) => boolean) | undefined,
  ): Backend | A | undefined;
}

const TAKING: Hand<undefined> = {
  group: (choice, context, usable, again) =>
    choice.pick(context, usable, again),
  backend: ({ policy }, context, usable) => policy.pick(context, usable),
};

/** Remembers the last subcluster that it looked into. */
class Looking implements Hand<typeof UNTOLD> {
  subcluster: string | undefined;

  group(
    choice: SubclusterChoice<Group>,
    context: PickContext,
    usable: ((group: Group) => boolean) | undefined,
    again: boolean,
  ): SubclusterPick<Group> | undefined {
    return choice.peek(context, usable, again);
  }

  backend(
    { name, policy }: Group,
    context: PickContext,
    usable: ((backend: Backend) => boolean) | undefined,
  ): Backend | typeof UNTOLD | undefined {
    this.subcluster = name;
    return policy.peek(context, usable);
  }
}

/** What holds where backends have bounded slots and the config says nothing of a queue. */
const DEFAULT_QUEUE: QueueLimits = { size: 1_000, timeout: 5_000 };

/** A service of several backends. */
export class Cluster {
  readonly name: string;
  readonly config: ClusterConfig;
  readonly retries: RetryRules;
  readonly life: ClusterLife;
  readonly queue: QueueLimits;
  /** Undefined where the config has none. */
  readonly sticky: StickyCookie | undefined;
  readonly members: readonly ClusterMember[];
  readonly #byId: ReadonlyMap<string, Backend>;
  readonly #groups: readonly Group[];
  readonly #choice: SubclusterChoice<Group>;
  readonly #settings: BackendSettings;
  readonly #surroundings: ClusterSurroundings;
  /** Whether some of them have bounded slots. */
  readonly #limited: boolean;
  /** The epoch that the offers are of, and from when until when they are right. */
  #epoch: number | undefined;
  #since = 0;
  #until = Infinity;

  /** `members` are in the order of the config's subclusters. Throws a `RangeError` for an unknown policy. */
  constructor(
    config: ClusterConfig,
    members: readonly (readonly ClusterMember[])[],
    settings: BackendSettings,
    surroundings: ClusterSurroundings,
  ) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.life = surroundings.life;
    this.name = config.name;
    this.config = config;
    this.retries = new RetryRules(config.retries);
    const { waiting: fellows } = surroundings;
    this.queue = { ...config.queue ?? DEFAULT_QUEUE, fellows };
    this.members = members.flat();
    this.#limited = this.members.some(({ share }) =>
      share.maxConnections !== undefined
    );
    this.#byId = new Map(
      this.members.map(({ backend }) => [backend.id, backend]),
    );
    this.sticky = config.sticky && new StickyCookie({
      name: config.sticky.cookie,
      secret: surroundings.secret,
      backends: this.#byId.keys(),
    });
    const key = config.hash && hashKey(config.hash.key);
    const options = {
      ...surroundings.policies,
      hashKey: key,
      random: Math.random,
    };
    this.#groups = config.subclusters.map(({ name, weight }, i) => ({
      name,
      weight,
      all: members[i]!.map(({ backend }) => backend),
      policy: createPolicy<Backend>(config.balance, options),
      members: 0,
      offered: [],
    }));
    this.#choice = new SubclusterChoice({
      hashKey: config.balance === "hash" ? key : undefined,
    });
  }

  /** Its snapshot is the current one now: backends that stayed take its settings. */
  activate(): void {
    for (const { backend, share } of this.members) {
      backend.update(this.#settings, share);
    }
    this.life.backends = this.members.map(({ backend }) => backend);
    this.#epoch = undefined;
  }

  /** The backend of this id. */
  find(id: string): Backend | undefined {
    return this.#byId.get(id);
  }

  /**
   * The backend for the next attempt: one with a free slot where there is one.
   * Undefined where none is left.
   */
  pick(
    context: PickContext,
    tried?: Tried,
  ): Backend | typeof BLACKHOLE | undefined {
    return this.#ask(context, tried, TAKING);
  }

  /** What `pick` would answer next, without any trace of the question. */
  peek(context: PickContext, tried?: Tried): ClusterPeek {
    const hand = new Looking();
    const pick = this.#ask(context, tried, hand);
    return { subcluster: hand.subcluster, pick };
  }

  /** The backend that the client's cookie names, unless it can't serve now. */
  stickyFor({ request }: PickContext): Backend | undefined {
    if (this.sticky === undefined || request === undefined) return undefined;
    const cookie = request.cookie(this.sticky.name);
    const id = cookie === undefined ? undefined : this.sticky.read(cookie);
    const backend = id === undefined ? undefined : this.#byId.get(id);
    const now = this.#surroundings.clock.wall();
    return backend?.health.serves(now) === true ? backend : undefined;
  }

  /** Whether new sessions would find another backend than this one. */
  servesWithout(id: string): boolean {
    this.#refresh();
    return this.#groups.some(({ offered }) =>
      offered.some((backend) => backend.id !== id)
    );
  }

  /** Whether a waiting attempt may have this backend's slot. */
  mayServe(backend: Backend, tried: Tried | undefined): boolean {
    this.#refresh();
    if (tried?.excluded.has(backend) === true) return false;
    return this.#groups.some(({ name, offered }) =>
      offered.includes(backend) &&
      (tried === undefined || tried.mayCross || tried.subcluster === name)
    );
  }

  #ask<A>(
    context: PickContext,
    tried: Tried | undefined,
    hand: Hand<A>,
  ): Backend | typeof BLACKHOLE | A | undefined {
    this.#refresh();
    if (tried !== undefined) return this.#askAgain(context, tried, hand);
    if (!this.#limited) return this.#askFirst(context, undefined, false, hand);
    return this.#askFirst(context, hasSlot, false, hand) ??
      // It was not swallowed: it must not be asked for twice whether it is.
      this.#askFirst(context, undefined, true, hand);
  }

  #askFirst<A>(
    context: PickContext,
    usable: ((backend: Backend) => boolean) | undefined,
    spared: boolean,
    hand: Hand<A>,
  ): Backend | typeof BLACKHOLE | A | undefined {
    const usableGroup = usable &&
      (({ offered }: Group) => offered.some(usable));
    const chosen = hand.group(this.#choice, context, usableGroup, spared);
    if (chosen === undefined) return undefined;
    if (chosen.kind === "blackhole") return BLACKHOLE;
    return hand.backend(chosen.subcluster, context, usable);
  }

  #askAgain<A>(
    context: PickContext,
    tried: Tried,
    hand: Hand<A>,
  ): Backend | A | undefined {
    const { excluded } = tried;
    const left = (backend: Backend) => !excluded.has(backend);
    if (!this.#limited) return this.#askOthers(context, tried, left, hand);
    const free = (backend: Backend) => left(backend) && backend.hasSlot;
    return this.#askOthers(context, tried, free, hand) ??
      this.#askOthers(context, tried, left, hand);
  }

  #askOthers<A>(
    context: PickContext,
    { subcluster, mayCross }: Tried,
    usable: (backend: Backend) => boolean,
    hand: Hand<A>,
  ): Backend | A | undefined {
    const home = this.#groups.find(({ name }) => name === subcluster);
    const again = home && hand.backend(home, context, usable);
    if (again !== undefined || !mayCross) return again;
    const chosen = hand.group(
      this.#choice,
      context,
      (group) => group !== home && group.offered.some(usable),
      true,
    );
    return chosen?.kind === "subcluster"
      ? hand.backend(chosen.subcluster, context, usable)
      : undefined;
  }

  /** Looks at the backends anew where a state changed, or the time has come. */
  #refresh(): void {
    const { epoch, clock } = this.#surroundings;
    const { value } = epoch;
    // Asking the clock costs more than the whole pick: only where time can tell.
    if (value === this.#epoch && this.#until === Infinity) return;
    const now = clock.wall();
    if (
      value === this.#epoch && this.#since <= now && now < this.#until
    ) return;
    this.#epoch = value;
    this.#since = now;
    this.#look(now);
  }

  #look(now: number): void {
    const panics = this.#shouldPanic(now);
    let until = Infinity;
    for (const { backend } of this.members) {
      until = Math.min(until, backend.health.changesAt(now));
      backend.weight = backend.health.weight(now);
      backend.panics = panics;
    }
    this.#until = until;
    const offer = this.#offer(
      panics
        ? ({ health }) => health.wanted
        : ({ health }) => health.eligible(now),
    ) ?? this.#offer(({ health }) => health.standsIn(now));
    this.#groups.forEach((group, i) => {
      group.offered = offer?.members[i] ?? [];
      group.members = group.offered.length;
      group.policy.update(group.offered);
    });
    this.#choice.update(this.#groups, this.config.blackhole);
  }

  /** Undefined where nobody is available. */
  #offer(available: (backend: Backend) => boolean): Offer<Backend> | undefined {
    const offer = offerMembers(this.#groups.map(({ all }) => all), available);
    return offer.members.some((members) => members.length > 0)
      ? offer
      : undefined;
  }

  /** Whether so few are well that all are used, whatever their health says: the few would break down, too. */
  #shouldPanic(now: number): boolean {
    const { panic } = this.config;
    if (panic === undefined) return false;
    let wanted = 0;
    let well = 0;
    for (const { backend: { health, backup } } of this.members) {
      if (backup || !health.wanted) continue;
      wanted++;
      if (health.eligible(now)) well++;
    }
    return wanted > 0 && well / wanted < panic;
  }
}

function hasSlot(backend: Backend): boolean {
  return backend.hasSlot;
}
