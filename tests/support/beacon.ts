/**
 * What plugins in any thread tell a test, and where they wait for it: a plugin
 * of another worker shares nothing with a test but the network.
 *
 * @module
 */
import { inTime } from "./eventually.ts";

/** A meeting place for plugins and a test. */
export class Beacon implements AsyncDisposable {
  /** What was told, in order. */
  readonly told: string[] = [];
  readonly origin: string;
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #counts = new Map<string, number>();
  #noticed = Promise.withResolvers<void>();

  constructor() {
    this.#http = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(request),
    );
    this.origin = `http://127.0.0.1:${this.#http.addr.port}`;
  }

  /**
   * Functions for a plugin's module: `tell(text)`, `wait(gate)`, which resolves
   * once the test opens the gate, and `count(name)`, 1 for the first who asks.
   */
  get module(): string {
    return `
      const ask = async (path, body) =>
        await (await fetch("${this.origin}/" + path, { method: "POST", body }))
          .text();
      // What is told late, as all ends, may find nobody.
      export const tell = (text) => ask("tell", text).then(() => {}, () => {});
      export const wait = (gate) => ask("wait", gate);
      export const count = async (name) => Number(await ask("count", name));
    `;
  }

  /** How often this was told so far. */
  count(text: string): number {
    return this.told.filter((told) => told === text).length;
  }

  /** Resolves once this was told so many times. */
  async seen(text: string, count = 1): Promise<void> {
    await inTime(
      `${text} × ${count}`,
      (async () => {
        while (this.count(text) < count) await this.#noticed.promise;
      })(),
    );
  }

  /** Lets those go who wait at the gate, now and later; they have told `at GATE`. */
  open(gate: string): void {
    this.#gate(gate).resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gate of this.#gates.values()) gate.resolve();
    await this.#http.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const text = await request.text();
    switch (new URL(request.url).pathname) {
      case "/wait":
        this.#note(`at ${text}`);
        await this.#gate(text).promise;
        return new Response();
      case "/count": {
        const count = (this.#counts.get(text) ?? 0) + 1;
        this.#counts.set(text, count);
        return new Response(String(count));
      }
      default:
        this.#note(text);
        return new Response();
    }
  }

  #gate(name: string): PromiseWithResolvers<void> {
    let gate = this.#gates.get(name);
    if (gate === undefined) {
      this.#gates.set(name, gate = Promise.withResolvers());
    }
    return gate;
  }

  #note(text: string): void {
    this.told.push(text);
    this.#noticed.resolve();
    this.#noticed = Promise.withResolvers();
  }
}
