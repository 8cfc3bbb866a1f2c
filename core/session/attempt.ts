/**
 * One try to get a response from a backend.
 *
 * @module
 */
import type { Cluster } from "../balance/cluster.ts";
import type { Backend } from "../connect/backend.ts";
import type { BackendConnection } from "../connect/backend_connection.ts";
import type { ProxyError } from "../errors.ts";
import type { Permit } from "../health/backend_health.ts";
import type { ConnectionFacts, SocketAddress } from "../plugin.ts";
import type { Request } from "./request.ts";
import type { Response } from "./response.ts";
import { AttemptView } from "./views.ts";

/** What happened in one attempt. */
export class Attempt {
  readonly number: number;
  readonly cluster: Cluster;
  /** The request as this attempt's handlers leave it. */
  readonly request: Request;
  backend: Backend;
  addresses: SocketAddress[] = [];
  /** The response of the last head that came, while its fields can be read. */
  response: Response | undefined;
  readonly reconnect = false;
  status = 0;
  error: ProxyError | undefined;
  #view: AttemptView | undefined;
  #fixed = false;
  #connection: BackendConnection | undefined;
  /** Its own: the next user of the connection changes the connection's. */
  #facts: ConnectionFacts | undefined;
  #using = false;
  #permit: Permit;
  /** What the backend's health is still to be told. */
  #untold: "result" | "end" | "nothing" = "result";

  /** `permit` is what the backend's health gave for it. */
  constructor(
    number: number,
    cluster: Cluster,
    backend: Backend,
    permit: Permit,
    request: Request,
  ) {
    this.number = number;
    this.cluster = cluster;
    this.backend = backend;
    this.request = request;
    this.#permit = permit;
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
    this.#end();
    this.backend = backend;
    this.#permit = backend.health.beginAnyway();
    this.#untold = "result";
  }

  /** Uses a connection until `release` or `close`. */
  use(connection: BackendConnection): void {
    const { remote, reused } = connection.facts;
    this.#connection = connection;
    this.#facts = { remote, reused };
    this.#using = true;
  }

  /** The connection, also after its use. */
  get connection(): BackendConnection | undefined {
    return this.#connection;
  }

  /** Facts of the connection when its use began. */
  get facts(): ConnectionFacts | undefined {
    return this.#facts;
  }

  /** The backend's final response has this status. */
  answered(status: number): void {
    if (this.#untold !== "result") return;
    this.#untold = "end";
    this.backend.health.answered(status, this.#permit);
  }

  /** It failed before a final response. */
  failed(error: ProxyError): void {
    if (this.#untold !== "result") return;
    this.#untold = "end";
    // A backend may close a connection that waits; that says nothing of it.
    const stale = error.code === "backend_closed" &&
      this.#facts?.reused === true && !this.#connection!.answered;
    if (!stale) this.backend.health.failed(error, this.#permit);
  }

  #end(): void {
    if (this.#untold === "nothing") return;
    this.#untold = "nothing";
    this.backend.health.end(this.#permit);
  }

  /** Ends the use of the connection: kept for others where both messages are complete. */
  release(): void {
    this.#end();
    if (!this.#using) return;
    this.#using = false;
    this.#connection!.release();
  }

  /** Ends the connection. */
  close(): void {
    this.#end();
    if (!this.#using) return;
    this.keepViews();
    this.#using = false;
    this.#connection!.close();
  }

  /** The connection is about to be ended or used by others, but handlers may still read the response's fields. */
  keepViews(): void {
    if (this.#using) this.response?.fields.keep();
  }
}
