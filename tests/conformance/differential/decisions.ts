/**
 * What Headrace decides, by its own word: a plugin that notes each request as it
 * is about to leave and each transaction at its end.
 *
 * @module
 */
import type { HttpResponse, Transaction } from "../../../core/plugin.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";

/** A request that is sent to a backend. The backend finds its number in x-transaction. */
export interface Sent {
  readonly number: number;
  /** The transaction's id. */
  readonly transaction: string;
  /** It is answered before its body is there. */
  readonly early: boolean;
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
}

/** A transaction that is over. */
export interface Closed {
  readonly id: string;
  /** The client's connection, as {@linkcode visitName} calls it. */
  readonly visit: string;
  /** Its place on the client's connection, from 1. */
  readonly place: number;
  readonly method: string | undefined;
  readonly status: number;
  /** What nginx calls the request, where it has answered. */
  readonly nginxId: string | undefined;
  /** Whose response it was. */
  readonly from: HttpResponse["from"] | undefined;
  /** Bytes of head and body. */
  readonly bytesIn: number;
}

/** The name of a connection: ports come again, but not at the same time. */
export function visitName(port: number, uses: Map<number, number>): string {
  const use = (uses.get(port) ?? 0) + 1;
  uses.set(port, use);
  return `${port} #${use}`;
}

const VISIT = Symbol("visit");

/** Notes them. */
export class Decisions {
  readonly sent: Sent[] = [];
  readonly closed: Closed[] = [];
  /** The entry of the config's `plugins`. */
  readonly plugin: { readonly use: string };

  /**
   * Requests of other methods than these are answered here: Node does not know
   * them, and behind an upgrade that it has ignored its parser swallows the next
   * request's error, so that it says nothing at all.
   */
  constructor(methods: ReadonlySet<string>) {
    const uses = new Map<number, number>();
    this.plugin = handlersPlugin("decisions", ({ verdict }) => ({
      accept: ({ data, remote }) => {
        data.set(VISIT, visitName(remote.port, uses));
        return undefined;
      },
      readRequestHeader: ({ method }) =>
        // Ended, since a body that is dropped counts for no transaction.
        methods.has(method) ? undefined : verdict.finish({ status: 501 }),
      sendRequestHeader: (request) => {
        const number = this.sent.length + 1;
        // Whatever the client wrote there.
        request.headers.set("x-transaction", String(number));
        const early = request.body.present && number % 4 === 0;
        if (early) request.headers.set("x-early", "1");
        else request.headers.delete("x-early");
        const { id, method, target, headers } = request;
        this.sent.push({
          number,
          transaction: id,
          early,
          method,
          target,
          fields: [...headers],
        });
        return undefined;
      },
      transactionClose: (transaction) => {
        this.closed.push(closedOf(transaction));
        return undefined;
      },
    }));
  }
}

function closedOf(transaction: Transaction): Closed {
  const { id, session, number, request, status, response, bytesIn } =
    transaction;
  return {
    id,
    visit: session.data.get(VISIT) as string,
    place: number,
    method: request?.method,
    status,
    nginxId: response?.headers.get("x-nginx-id") ?? undefined,
    from: response?.from,
    bytesIn,
  };
}
