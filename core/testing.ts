/**
 * The kit for tests of plugins, from a single handler to a whole proxy:
 *
 * - {@linkcode startPlugin} sets a plugin up with a clock that the test turns
 *   and a log that it can read; its handlers get views that say what the test
 *   wants: {@linkcode fakeRequest}, {@linkcode fakeResponse}, …
 * - {@linkcode openValves} has messages pass a plugin's valves.
 * - {@linkcode proxyInMemory} is a whole proxy without sockets: a client's
 *   request runs through every callback point to a function that is the backend.
 * - {@linkcode proxyOnSockets} is the same on ports of 127.0.0.1.
 *
 * ```ts
 * import { proxyInMemory } from "headrace/testing";
 * import hello from "./hello.ts";
 *
 * Deno.test("hello greets", async () => {
 *   await using proxy = await proxyInMemory({
 *     plugins: [{ plugin: hello, options: { name: "test" } }],
 *     backend: () => new Response("from the backend"),
 *   });
 *   const response = await proxy.fetch("/path");
 *   if (response.headers.get("x-served-by") !== "test") throw new Error("not greeted");
 * });
 * ```
 *
 * @module
 */
export { RefusedError } from "./data_plane/control.ts";
export { FakeClock } from "./testing/fake_clock.ts";
export type { BackendHandler } from "./testing/memory_backend.ts";
export {
  type MemoryProxy,
  type MemoryProxyOptions,
  type MemoryRequestInit,
  proxyInMemory,
} from "./testing/memory_proxy.ts";
export {
  proxyOnSockets,
  type SocketProxy,
  type SocketProxyOptions,
} from "./testing/socket_proxy.ts";
export type { TestedPlugin, TestedProxy } from "./testing/tested_proxy.ts";
export {
  fakeProxySession,
  openValves,
  type RunningValves,
  type TestMessage,
} from "./testing/valves.ts";
export {
  answerOf,
  checkOptions,
  fakeAttempt,
  FakeFields,
  fakeRequest,
  fakeResponse,
  fakeSession,
  fakeTransaction,
  MemoryLog,
  type MemoryRecord,
  OptionsError,
  type RequestFacts,
  type RunningPlugin,
  startPlugin,
  type TransactionFacts,
} from "./testing/views.ts";
