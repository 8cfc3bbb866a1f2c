/**
 * The control channel over messages: calls by number, answers by the same.
 *
 * @module
 */
import { type PlaneControl, RefusedError } from "../data_plane/control.ts";
import type { BackendEvent } from "../plugin.ts";

/** Either end of a message channel: a worker, its scope, a MessagePort. */
export interface Port {
  postMessage(message: unknown): void;
  addEventListener(
    type: "message",
    listener: (event: MessageEvent) => void,
  ): void;
}

/** What a plane says unasked: the state of a backend changed by its doing. */
export interface BackendNotice {
  readonly backendEvent: BackendEvent;
}

type Method = keyof PlaneControl;

const METHODS: readonly Method[] = [
  "prepare",
  "commit",
  "discard",
  "report",
  "explain",
  "trace",
  "backendChanged",
  "listWebSockets",
  "abortWebSocket",
  "moveWebSockets",
  "purgeCache",
  "pause",
  "regainListeners",
  "administer",
  "askPlugin",
  "drain",
  "stop",
];

interface Call {
  readonly call: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly error?: {
    readonly message: string;
    readonly problems?: readonly string[];
  };
}

/** Answers calls that come over `port` by `control`. */
export function serveControl(port: Port, control: PlaneControl): void {
  port.addEventListener("message", (event: MessageEvent<Call>) => {
    const { call, method } = event.data;
    if (call === undefined || !METHODS.includes(method)) return;
    answer(control, event.data).then((result) =>
      port.postMessage({ answer: call, ...result })
    );
  });
}

async function answer(
  control: PlaneControl,
  { method, args }: Call,
): Promise<Omit<Answer, "answer">> {
  try {
    const run = control[method] as (...args: unknown[]) => Promise<unknown>;
    return { value: await run.apply(control, [...args]) };
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return thrown instanceof RefusedError
      ? { error: { message, problems: thrown.problems } }
      : { error: { message } };
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
}

/** A data plane at the other end of a port. */
export class RemoteControl implements PlaneControl {
  readonly #port: Port;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #lost: Error | undefined;

  constructor(port: Port) {
    this.#port = port;
    port.addEventListener("message", (event: MessageEvent<Answer>) => {
      const { answer, value, error } = event.data;
      const waiting = this.#waiting.get(answer);
      if (waiting === undefined) return;
      this.#waiting.delete(answer);
      if (error === undefined) waiting.resolve(value);
      else if (error.problems === undefined) {
        waiting.reject(new Error(error.message));
      } else waiting.reject(new RefusedError(error.problems));
    });
  }

  /** The other end is gone: every call fails, now and later. */
  lose(reason: Error): void {
    this.#lost = reason;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }

  #call<M extends Method>(
    method: M,
    ...args: Parameters<PlaneControl[M]>
  ): ReturnType<PlaneControl[M]> {
    const call = ++this.#calls;
    const promise = new Promise<unknown>((resolve, reject) => {
      if (this.#lost !== undefined) {
        reject(this.#lost);
        return;
      }
      this.#port.postMessage({ call, method, args });
      this.#waiting.set(call, { resolve, reject });
    });
    return promise as ReturnType<PlaneControl[M]>;
  }

  prepare(...args: Parameters<PlaneControl["prepare"]>) {
    return this.#call("prepare", ...args);
  }
  commit(...args: Parameters<PlaneControl["commit"]>) {
    return this.#call("commit", ...args);
  }
  discard(...args: Parameters<PlaneControl["discard"]>) {
    return this.#call("discard", ...args);
  }
  report(...args: Parameters<PlaneControl["report"]>) {
    return this.#call("report", ...args);
  }
  explain(...args: Parameters<PlaneControl["explain"]>) {
    return this.#call("explain", ...args);
  }
  trace(...args: Parameters<PlaneControl["trace"]>) {
    return this.#call("trace", ...args);
  }
  backendChanged(...args: Parameters<PlaneControl["backendChanged"]>) {
    return this.#call("backendChanged", ...args);
  }
  listWebSockets(...args: Parameters<PlaneControl["listWebSockets"]>) {
    return this.#call("listWebSockets", ...args);
  }
  abortWebSocket(...args: Parameters<PlaneControl["abortWebSocket"]>) {
    return this.#call("abortWebSocket", ...args);
  }
  moveWebSockets(...args: Parameters<PlaneControl["moveWebSockets"]>) {
    return this.#call("moveWebSockets", ...args);
  }
  purgeCache(...args: Parameters<PlaneControl["purgeCache"]>) {
    return this.#call("purgeCache", ...args);
  }
  pause(...args: Parameters<PlaneControl["pause"]>) {
    return this.#call("pause", ...args);
  }
  regainListeners(...args: Parameters<PlaneControl["regainListeners"]>) {
    return this.#call("regainListeners", ...args);
  }
  administer(...args: Parameters<PlaneControl["administer"]>) {
    return this.#call("administer", ...args);
  }
  askPlugin(...args: Parameters<PlaneControl["askPlugin"]>) {
    return this.#call("askPlugin", ...args);
  }
  drain(...args: Parameters<PlaneControl["drain"]>) {
    return this.#call("drain", ...args);
  }
  stop(...args: Parameters<PlaneControl["stop"]>) {
    return this.#call("stop", ...args);
  }
}
