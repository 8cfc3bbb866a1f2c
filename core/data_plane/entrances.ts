/**
 * Where sessions begin: at the addresses of listeners, and at a listener's name
 * for requests that come from no socket.
 *
 * @module
 */
import type { ListenerConfig } from "../config/config.ts";
import { bindAddresses, bindKey } from "../listener/bind.ts";
import type { Frontend } from "../listener/frontend.ts";
import type { Guest } from "../listener/guests.ts";
import type { Initiator } from "../listener/initiator.ts";
import type { Acceptor, AcceptRules } from "../listener/listener.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { SessionHost } from "../session/host.ts";
import { Session } from "../session/session.ts";
import type { ListenerRuntime } from "../snapshot/snapshot.ts";
import type { SubrequestEntry } from "./subrequest.ts";

/** What entrances lead to. */
export interface EntrancesOptions {
  /** Where the sessions live. */
  readonly host: SessionHost;
  /** The address of this bind key, while it is bound. */
  readonly frontend: (key: string) => Frontend | undefined;
}

/** The entrances of one data plane. */
export class Entrances implements SubrequestEntry {
  readonly env: PlaneEnv;
  readonly #options: EntrancesOptions;

  constructor(options: EntrancesOptions) {
    this.env = options.host.env;
    this.#options = options;
  }

  /** Who takes the connections of the address of this bind key. */
  at(key: string): Acceptor {
    return new AddressAcceptor(key, this.#options);
  }

  /** Begins a session on the http listener of this name, or on the first. Throws a `TypeError` where there is none. */
  enter(initiator: Initiator, name: string | undefined): void {
    const { host } = this.#options;
    for (const listener of host.current.listeners) {
      if (listener.protocol !== "http") continue;
      if (name !== undefined && listener.name !== name) continue;
      new Session(host, listener, initiator).run();
      return;
    }
    throw new TypeError(
      name === undefined
        ? "Cannot send the request as there is no http listener"
        : `Cannot send the request as there is no http listener "${name}"`,
    );
  }
}

/** A listener as the config has it, and what it accepts by. */
interface Known {
  readonly listener: ListenerRuntime;
  readonly rules: AcceptRules;
}

/** Takes one address's connections, whose listener may get another name or other limits by a reload. */
class AddressAcceptor implements Acceptor {
  readonly #key: string;
  readonly #options: EntrancesOptions;
  #known: Known | undefined;

  constructor(key: string, options: EntrancesOptions) {
    this.#key = key;
    this.#options = options;
  }

  serves(): boolean {
    return this.#find() !== undefined;
  }

  rules(): AcceptRules {
    return this.#lookUp().rules;
  }

  session(initiator: Initiator, guest: Guest): void {
    const { host, frontend } = this.#options;
    const { listener } = this.#lookUp();
    new Session(host, listener, initiator, frontend(this.#key)).run(guest);
  }

  /** As the current config has it. Throws a `RangeError` where that has not got the address. */
  #lookUp(): Known {
    if (this.#known?.listener.snapshot === this.#options.host.current) {
      return this.#known;
    }
    const listener = this.#find();
    if (listener === undefined) {
      throw new RangeError(`No listener has the address ${this.#key}`);
    }
    const rules = acceptRules(listener.config);
    return this.#known = { listener, rules };
  }

  #find(): ListenerRuntime | undefined {
    for (const listener of this.#options.host.current.listeners) {
      const addresses = bindAddresses(listener.config);
      if (addresses.some((each) => bindKey(each) === this.#key)) {
        return listener;
      }
    }
    return undefined;
  }
}

/** What a worker goes by as it accepts connections. */
function acceptRules({ limits, socket }: ListenerConfig): AcceptRules {
  const { connections, connectionsPerAddress } = limits;
  const { noDelay, keepAlive } = socket;
  return { connections, connectionsPerAddress, noDelay, keepAlive };
}
