/**
 * A request that tests make by hand, without a session or a codec.
 *
 * @module
 */
import type {
  HeaderFields,
  HttpRequest,
  Session,
  TlsFacts,
  Transaction,
} from "../../core/plugin.ts";
import { canonicalHost } from "../../core/net/host_name.ts";
import { fakeSession, fakeTransaction } from "../../core/testing/views.ts";

/** What a fake request is made of; everything has a plain default. */
export interface FakeRequestInit {
  readonly method?: string;
  /** Path and query, escapes kept. */
  readonly target?: string;
  readonly scheme?: "http" | "https";
  readonly version?: "1.0" | "1.1" | "2";
  /** As a client sends it, with or without a port. */
  readonly host?: string;
  readonly headers?: Iterable<readonly [string, string]>;
  readonly clientAddress?: string;
  readonly trusted?: boolean;
  readonly tags?: Iterable<readonly [string, readonly string[]]>;
  /** The connection's other end. */
  readonly remote?: string;
  /** Where the client connected to. */
  readonly local?: string;
  readonly tls?: Partial<TlsFacts>;
  /** What plugins left in the transaction. */
  readonly data?: Iterable<readonly [unknown, unknown]>;
  /** The body as JSON. */
  readonly json?: unknown;
}

const NO_FACTS: TlsFacts = {
  serverName: undefined,
  alpn: undefined,
  version: undefined,
  cipher: undefined,
  clientCertificate: undefined,
};

/** A `GET / HTTP/1.1` of `example.com` from 192.0.2.1, unless said otherwise. */
export class FakeRequest implements HttpRequest {
  readonly id = "fake";
  readonly version: "1.0" | "1.1" | "2";
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number | undefined;
  readonly headers: HeaderFields;
  readonly clientAddress: string;
  readonly trusted: boolean;
  readonly tags: Map<string, readonly string[]>;
  readonly product: string | undefined = undefined;
  readonly body = {
    present: false,
    length: 0,
    read: () => Promise.resolve(new Uint8Array()),
    json: (): unknown => this.#init.json,
  };
  readonly signal = new AbortController().signal;
  method: string;
  path: string;
  query: string;
  cluster: string | undefined = undefined;
  authorized = false;
  readonly #init: FakeRequestInit;
  #transaction: Transaction | undefined;

  constructor(init: FakeRequestInit = {}) {
    this.method = init.method ?? "GET";
    this.version = init.version ?? "1.1";
    this.scheme = init.scheme ?? "http";
    const host = init.host ?? "example.com";
    const [, name = "", port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
    this.host = canonicalHost(name.replace(/^\[(.*)\]$/, "$1"));
    this.port = port === undefined ? undefined : Number(port);
    this.headers = new FakeHeaders([["host", host], ...init.headers ?? []]);
    this.clientAddress = init.clientAddress ?? "192.0.2.1";
    this.trusted = init.trusted ?? false;
    this.tags = new Map(init.tags);
    this.#init = init;
    this.path = "";
    this.query = "";
    this.target = init.target ?? "/";
  }

  get session(): Session {
    return this.transaction.session;
  }

  get transaction(): Transaction {
    return this.#transaction ??= makeTransaction(this.#init);
  }

  get target(): string {
    return this.query === "" ? this.path : `${this.path}?${this.query}`;
  }

  set target(target: string) {
    const mark = target.indexOf("?");
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? "" : target.slice(mark + 1);
  }

  cookie(name: string): string | undefined {
    for (const pair of (this.headers.get("cookie") ?? "").split(/; */)) {
      if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1);
    }
    return undefined;
  }

  parameter(name: string): string | undefined {
    return new URLSearchParams(this.query).get(name) ?? undefined;
  }
}

function makeTransaction(
  { remote = "192.0.2.1", local = "192.0.2.9", tls, data = [] }:
    FakeRequestInit,
): Transaction {
  const session = fakeSession({
    remote: { address: remote, port: 50_000 },
    local: { address: local, port: 80 },
    tls: tls && { ...NO_FACTS, ...tls },
  });
  const transaction = fakeTransaction({ session });
  for (const [key, value] of data) transaction.data.set(key, value);
  return transaction;
}

/** Field lines in a list. */
class FakeHeaders implements HeaderFields {
  #lines: [string, string][];

  constructor(lines: Iterable<readonly [string, string]>) {
    this.#lines = Array.from(lines, ([name, value]) => [name, value]);
  }

  get(name: string): string | null {
    const values = this.getAll(name);
    return values.length === 0 ? null : values.join(", ");
  }

  getAll(name: string): string[] {
    return this.#lines.filter((line) => same(line[0], name))
      .map((line) => line[1]);
  }

  has(name: string): boolean {
    return this.#lines.some((line) => same(line[0], name));
  }

  set(name: string, value: string): void {
    this.delete(name);
    this.append(name, value);
  }

  append(name: string, value: string): void {
    this.#lines.push([name, value]);
  }

  delete(name: string): void {
    this.#lines = this.#lines.filter((line) => !same(line[0], name));
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#lines[Symbol.iterator]();
  }
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
