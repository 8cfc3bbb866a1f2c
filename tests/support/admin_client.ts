/**
 * The admin interface of a running proxy, asked without a socket.
 *
 * @module
 */
import { createAdminApp } from "../../core/admin/app.ts";
import { createLog } from "../../core/observe/log.ts";
import { type ProxyOptions, startProxy, type TestProxy } from "./proxy.ts";

/** What was answered. */
export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
}

/** An admin interface. */
export class AdminClient implements AsyncDisposable {
  readonly proxy: TestProxy;
  readonly #app: ReturnType<typeof createAdminApp>;

  constructor(proxy: TestProxy) {
    this.proxy = proxy;
    const log = createLog({ level: "error", format: "json", write() {} });
    this.#app = createAdminApp(proxy.supervisor, {
      token: undefined,
      hosts: [],
      log,
    });
  }

  /** Starts a proxy of this config with its admin interface. */
  static async start(
    config: object,
    options?: ProxyOptions,
  ): Promise<AdminClient> {
    return new AdminClient(await startProxy(JSON.stringify(config), options));
  }

  /** Any request. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<AdminAnswer> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await this.#app.request(path, {
      method,
      ...(text !== undefined && { body: text }),
    });
    return { status: answer.status, text: await answer.text() };
  }

  /** The body of a GET. */
  async get(path: string): Promise<string> {
    return (await this.ask("GET", path)).text;
  }

  /** The JSON of a GET. */
  // deno-lint-ignore no-explicit-any
  async json(path: string): Promise<any> {
    return JSON.parse(await this.get(path));
  }

  /** Status and body of a POST as one text: `200 {"result":"success"}`. */
  async post(path: string, body?: unknown): Promise<string> {
    const { status, text } = await this.ask("POST", path, body);
    return `${status} ${text}`;
  }

  /** Swaps the config. */
  async reload(config: object): Promise<void> {
    await this.proxy.reload(JSON.stringify(config));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
  }
}
