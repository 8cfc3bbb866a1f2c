/**
 * A dialer whose backends live inside of the test: each connection answers as
 * the test says and remembers what it got.
 *
 * @module
 */
import type {
  BackendConnection,
  BackendDialContext,
  BackendDialer,
  WsMessage,
  WsNormalClosure,
} from "../../core/plugin.ts";
import { bytesOf, textOf } from "./byte_streams.ts";
import { eventually } from "./eventually.ts";

/** What a connection does with a message; null answers nothing. */
export type FakeAnswer = (
  text: string,
  connection: FakeConnection,
) => string | null | Promise<string | null>;

/** Facts of connections to come. */
export interface FakeFacts {
  readonly subprotocol?: string;
  readonly additionalHeaders?: BackendConnection["additionalHeaders"];
}

/** A connection to no backend. */
export class FakeConnection implements BackendConnection {
  readonly id: string;
  readonly backendId: string;
  readonly subprotocol?: string | undefined;
  readonly additionalHeaders?: BackendConnection["additionalHeaders"];
  readonly context: BackendDialContext;
  /** Messages that it took, as text. */
  readonly got: string[] = [];
  /** What it was told of the end. */
  closure: WsNormalClosure | undefined;
  started = 0;
  closed = 0;
  /** It takes nothing while this is pending. */
  pause: Promise<void> | undefined;
  /** It answers our Close. */
  answersClose = true;
  /** Its loop is over. */
  readonly done: Promise<void>;
  readonly #done = Promise.withResolvers<void>();
  readonly #answer: FakeAnswer;

  constructor(
    context: BackendDialContext,
    backendId: string,
    answer: FakeAnswer,
    facts: FakeFacts = {},
  ) {
    this.context = context;
    this.backendId = backendId;
    this.id = `${backendId}/${crypto.randomUUID()}`;
    this.#answer = answer;
    this.subprotocol = facts.subprotocol;
    this.additionalHeaders = facts.additionalHeaders;
    this.done = this.#done.promise;
  }

  start(): void {
    this.started++;
    this.#run().then(this.#done.resolve, this.#done.reject);
  }

  close(): void {
    this.closed++;
  }

  /** Says something unasked. */
  say(text: string): Promise<void> {
    return this.context.toFrontend.send({ type: 1, data: bytesOf(text) });
  }

  /** Fails. */
  fail(reason = ""): Promise<void> {
    return this.context.toFrontend.send({ type: 64, reason });
  }

  async #run(): Promise<void> {
    const { fromFrontend, toFrontend } = this.context;
    for (;;) {
      await this.pause;
      const item = await fromFrontend.receive();
      if (item === undefined) return;
      if (item.type === 32) {
        this.closure = item;
        if (this.answersClose) await toFrontend.send({ type: 32 });
        continue;
      }
      const text = textOf(item.data);
      this.got.push(text);
      const said = await this.#answer(text, this);
      if (said !== null) await toFrontend.send(message(said, item.type));
    }
  }
}

/** A dialer of such connections to `b1`, `b2`, … in turn. */
export class FakeDialer implements BackendDialer {
  readonly connections: FakeConnection[] = [];
  /** What it was asked with. */
  readonly contexts: BackendDialContext[] = [];
  facts: FakeFacts = {};
  answer: FakeAnswer = (text, { backendId }) => `${backendId}:${text}`;
  /** Before it connects: throws what it is to throw. */
  before: (context: BackendDialContext) => void | Promise<void> = () => {};

  async dialUpstream(context: BackendDialContext): Promise<FakeConnection> {
    this.contexts.push(context);
    await this.before(context);
    const connection = new FakeConnection(
      context,
      `b${this.connections.length + 1}`,
      (text, connection) => this.answer(text, connection),
      this.facts,
    );
    this.connections.push(connection);
    return connection;
  }

  /** The nth connection from 1, once it is there. */
  connection(nth: number): Promise<FakeConnection> {
    return eventually(
      `connection ${nth}`,
      () => this.connections[nth - 1],
    );
  }
}

/** A message of text; binary with type 2. */
export function message(text: string, type: 1 | 2 = 1): WsMessage {
  return { type, data: bytesOf(text) };
}
