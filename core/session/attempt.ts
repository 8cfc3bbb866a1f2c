/**
 * One try to get a response from a backend.
 *
 * @module
 */
import type { Cluster } from "../balance/cluster.ts";
import type { Backend } from "../connect/backend.ts";
import type { BackendConnection } from "../connect/backend_connection.ts";
import type { ProxyError } from "../errors.ts";
import type { SocketAddress } from "../plugin.ts";
import { AttemptView } from "./views.ts";

/** What happened in one attempt. */
export class Attempt {
  readonly number: number;
  readonly cluster: Cluster;
  backend: Backend;
  addresses: SocketAddress[] = [];
  connection: BackendConnection | undefined;
  readonly reconnect = false;
  status = 0;
  error: ProxyError | undefined;
  #view: AttemptView | undefined;
  #fixed = false;

  constructor(number: number, cluster: Cluster, backend: Backend) {
    this.number = number;
    this.cluster = cluster;
    this.backend = backend;
  }

  /** What plugins see of it. */
  get view(): AttemptView {
    return this.#view ??= new AttemptView(this);
  }

  /** From resolve on its backend stays. */
  fix(): void {
    this.#fixed = true;
  }

  /** Takes another backend of the cluster. Throws a `RangeError` where that can't be. */
  replaceBackend(id: string): void {
    if (this.#fixed) {
      throw new RangeError("Cannot set the backend later than at forward");
    }
    const backend = this.cluster.find(id);
    if (backend === undefined) {
      throw new RangeError(
        `Cannot set the backend as the cluster "${this.cluster.name}" has none of this id: current value is ${
          JSON.stringify(id)
        }`,
      );
    }
    this.backend = backend;
  }
}
