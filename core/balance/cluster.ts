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
import { offerMembers } from "./backups.ts";
import type { ClusterLife } from "./cluster_life.ts";
import { createPolicy, type PolicyOptions } from "./create_policy.ts";
import { hashKey } from "./hash_key.ts";
import type { PickContext, Policy } from "./policy.ts";
import { RetryRules } from "./retry_rules.ts";
import type { QueueLimits } from "./slot_queue.ts";
import { StickyCookie } from "./sticky_cookie.ts";
import { SubclusterChoice, type SubclusterShare } from "./subclusters.ts";

/** What a cluster needs of its surroundings. */
export interface ClusterSurroundings {
  /** Tells when backends have to be looked at anew. */
  readonly epoch: Epoch;
  readonly clock: Clock;
  readonly life: ClusterLife;
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

/** A subcluster with those that may be picked. */
interface Group extends SubclusterShare {
  readonly all: readonly Backend[];
  readonly policy: Policy<Backend>;
  /** How many may be picked now. */
  members: number;
  offered: readonly Backend[];
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
    this.queue = config.queue ?? DEFAULT_QUEUE;
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
    this.#refresh();
    if (!this.#limited) return this.#pick(context, tried, undefined);
    return this.#pick(context, tried, hasSlot) ??
      this.#pick(context, tried, undefined);
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

  #pick(
    context: PickContext,
    tried: Tried | undefined,
    also: ((backend: Backend) => boolean) | undefined,
  ): Backend | typeof BLACKHOLE | undefined {
    if (tried !== undefined) return this.#pickAgain(context, tried, also);
    const usableGroup = also &&
      (({ offered }: Group) => offered.some(also));
    const chosen = this.#choice.pick(context, usableGroup);
    if (chosen === undefined) return undefined;
    if (chosen.kind === "blackhole") return BLACKHOLE;
    return chosen.subcluster.policy.pick(context, also);
  }

  #pickAgain(
    context: PickContext,
    { excluded, subcluster, mayCross }: Tried,
    also: ((backend: Backend) => boolean) | undefined,
  ): Backend | typeof BLACKHOLE | undefined {
    const usable = (backend: Backend) =>
      !excluded.has(backend) && also?.(backend) !== false;
    const home = this.#groups.find(({ name }) => name === subcluster);
    const again = home?.policy.pick(context, usable);
    if (again !== undefined || !mayCross) return again;
    const chosen = this.#choice.pick(
      context,
      (group) => group !== home && group.offered.some(usable),
      true,
    );
    return chosen?.kind === "subcluster"
      ? chosen.subcluster.policy.pick(context, usable)
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
    const available = panics
      ? ({ health }: Backend) => health.wanted
      : ({ health }: Backend) => health.eligible(now);
    const offer = offerMembers(this.#groups.map(({ all }) => all), available);
    this.#groups.forEach((group, i) => {
      group.offered = offer.members[i]!;
      group.members = group.offered.length;
      group.policy.update(group.offered);
    });
    this.#choice.update(this.#groups, this.config.blackhole);
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
