import { compilePattern } from "../../../core/conditions/plugin_pattern.ts";
import {
  type ContextMaker,
  type PluginInstance,
  PluginInstances,
  type PluginSpec,
} from "../../../core/plugins/instances.ts";
import {
  type PluginLoadCode,
  PluginLoadError,
} from "../../../core/plugins/plugin_load_error.ts";
import type { PluginArtifact } from "../../../core/plugins/plugin_artifact.ts";
import type {
  Plugin,
  PluginContext,
  PluginParts,
} from "../../../core/plugin.ts";
import { verdicts } from "../../../core/verdict.ts";
import { webSocketTools } from "../../../core/ws.ts";
import { z } from "zod";
import { FakeClock } from "../../support/clock.ts";
import { fakeShared } from "../../../core/testing/shared.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "../../support/assert.ts";
import { Loader, ModuleHost } from "./module_host.ts";

const makeContext: ContextMaker = ({ name }, options, signal) => ({
  name,
  options,
  signal,
  verdict: verdicts,
  ws: webSocketTools,
  log: silent,
  metrics: {
    counter: () => ({ add() {} }),
    gauge: () => ({ set() {} }),
  },
  request: () => Promise.reject(new TypeError("no listener")),
  shared: fakeShared(),
  lineFile: () => Promise.reject(new TypeError("no files")),
  condition: () => () => true,
  responseCondition: () => () => true,
  pattern: compilePattern,
  needTlsFacts() {},
  clock: new FakeClock(),
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Instances of one built-in plugin, and what happened. */
class Stage {
  readonly clock = new FakeClock();
  readonly logged: string[] = [];
  readonly contexts: PluginContext<unknown>[] = [];
  readonly instances: PluginInstances;
  closed = 0;

  constructor(plugin: Partial<Plugin> = {}) {
    const whole: Plugin = {
      name: "p",
      ...plugin,
      setup: (context) => {
        this.contexts.push(context);
        return plugin.setup?.(context) ?? { close: () => void this.closed++ };
      },
    };
    const note = (message: string, fields?: unknown) =>
      void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    this.instances = new PluginInstances({
      builtins: new Map([["p", () => Promise.resolve({ default: whole })]]),
      clock: this.clock,
      log: { ...silent, warn: note, error: note },
    });
  }

  acquire(options?: unknown, name?: string): Promise<PluginInstance> {
    return this.instances.acquire(specOf(options, name), makeContext);
  }

  async refuses(code: PluginLoadCode, options?: unknown): Promise<string> {
    const error = await assertRejects(
      () => this.acquire(options),
      PluginLoadError,
    );
    assertEquals(error.code, code, error.message);
    this.isEmpty();
    return error.message;
  }

  /** Fails if anything was left behind. */
  isEmpty(): void {
    assertEquals(this.instances.list(), []);
    assertEquals(this.clock.pending, 0);
    for (const { signal } of this.contexts) assert(signal.aborted);
  }
}

const ARTIFACT: PluginArtifact = {
  use: "builtin:p",
  url: "builtin:p",
  kind: "builtin",
  entry: "builtin:p",
  hash: "sha256-p",
  modules: [],
};

function specOf(options?: unknown, name?: string): PluginSpec {
  return { artifact: ARTIFACT, name, options };
}

/** Until everything that is ready to run has run. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

Deno.test("PluginInstances.acquire sets a plugin up with name, options and signal", async () => {
  const stage = new Stage();
  const instance = await stage.acquire({ a: 1 });
  assertEquals(instance.name, "p");
  assertEquals(instance.artifact, ARTIFACT);
  assertEquals(stage.instances.list(), [instance]);
  const context = stage.contexts[0]!;
  assertEquals([context.name, context.options], ["p", { a: 1 }]);
  assertEquals(context.signal, instance.signal);
  assertEquals(stage.clock.pending, 0);
  await stage.instances.release(instance);
  stage.isEmpty();
});

Deno.test("PluginInstances.list has the order in which instances were asked for", async () => {
  const first = Promise.withResolvers<void>();
  const stage = new Stage({
    setup: ({ name }) => name === "a" ? first.promise.then(() => ({})) : {},
  });
  const slow = stage.acquire(undefined, "a");
  const fast = await stage.acquire(undefined, "b");
  assertEquals(stage.instances.list(), [fast]);
  first.resolve();
  const instances = [await slow, fast];
  assertEquals(stage.instances.list(), instances);
  for (const instance of instances) await stage.instances.release(instance);
  stage.isEmpty();
});

Deno.test("PluginInstances.acquire prefers the config's name", async () => {
  const stage = new Stage();
  const instance = await stage.acquire(undefined, "mine");
  assertEquals(instance.name, "mine");
  assertEquals(stage.contexts[0]!.name, "mine");
  await stage.instances.release(instance);
});

Deno.test("PluginInstances.acquire gives the same instance for the same options in any order", async () => {
  const stage = new Stage();
  const first = await stage.acquire({ a: 1, b: { c: [2], d: 3 } });
  const second = await stage.acquire({ b: { d: 3, c: [2] }, a: 1 });
  assert(first === second);
  assertEquals(stage.contexts.length, 1);
  await stage.instances.release(first);
  assertEquals(stage.closed, 0);
  assert(!first.signal.aborted);
  await stage.instances.release(second);
  assertEquals(stage.closed, 1);
});

Deno.test("PluginInstances.acquire gives another instance for another name, options or hash", async () => {
  const stage = new Stage();
  const specs: PluginSpec[] = [
    specOf({ a: 1 }),
    specOf({ a: 2 }),
    specOf({ a: 1 }, "other"),
    specOf([1, 2]),
    specOf([2, 1]),
    specOf(undefined),
    specOf(null),
    { ...specOf({ a: 1 }), artifact: { ...ARTIFACT, hash: "sha256-q" } },
  ];
  const held = [];
  for (const spec of specs) {
    held.push(await stage.instances.acquire(spec, makeContext));
  }
  assertEquals(new Set(held).size, specs.length);
  for (const instance of held) await stage.instances.release(instance);
  stage.isEmpty();
});

Deno.test("PluginInstances.acquire gives plugins a copy of their options", async () => {
  const stage = new Stage();
  const options = { list: [1] };
  const instance = await stage.acquire(options);
  (stage.contexts[0]!.options as typeof options).list.push(2);
  assertEquals(options, { list: [1] });
  await stage.instances.release(instance);
});

Deno.test("PluginInstances.acquire sets up once for concurrent calls", async () => {
  const gate = Promise.withResolvers<PluginParts>();
  const stage = new Stage({ setup: () => gate.promise });
  const acquiring = [stage.acquire(), stage.acquire(), stage.acquire()];
  gate.resolve({});
  const held = await Promise.all(acquiring);
  assertEquals(new Set(held).size, 1);
  assertEquals(stage.contexts.length, 1);
  for (const instance of held) await stage.instances.release(instance);
  stage.isEmpty();
});

Deno.test("PluginInstances.acquire refuses all concurrent calls when setup fails, and tries again later", async () => {
  let broken = true;
  const stage = new Stage({
    setup() {
      if (broken) throw new RangeError("no port");
      return {};
    },
  });
  const both = await Promise.allSettled([stage.acquire(), stage.acquire()]);
  assertEquals(both.map(({ status }) => status), ["rejected", "rejected"]);
  assertEquals(stage.contexts.length, 1);
  stage.isEmpty();
  broken = false;
  await stage.instances.release(await stage.acquire());
});

Deno.test("PluginInstances.acquire refuses what setup throws or rejects with", async () => {
  const thrown = new Stage({
    setup() {
      throw new RangeError("no port");
    },
  });
  assertStringIncludes(await thrown.refuses("setup_failed"), "no port");
  const rejected = new Stage({ setup: () => Promise.reject(new Error("no")) });
  await rejected.refuses("setup_failed");
});

Deno.test("PluginInstances.acquire refuses and closes parts that are none", async () => {
  let closed = 0;
  const stage = new Stage({
    setup: () => ({ handler: {}, close: () => void closed++ }) as PluginParts,
  });
  assertStringIncludes(await stage.refuses("bad_parts"), `"handlers"`);
  assertEquals(closed, 1);
});

Deno.test("PluginInstances.acquire gives setup 30 seconds, and closes what comes later", async () => {
  const gate = Promise.withResolvers<PluginParts>();
  const stage = new Stage({ setup: () => gate.promise });
  const acquiring = stage.acquire();
  await settle();
  stage.clock.advance(29_999);
  assert(!stage.contexts[0]!.signal.aborted);
  stage.clock.advance(1);
  const error = await assertRejects(() => acquiring, PluginLoadError);
  assertEquals(error.code, "setup_timeout");
  assertStringIncludes(error.message, "its setup did not end within 30000 ms");
  stage.isEmpty();
  gate.resolve({ close: () => void stage.closed++ });
  await settle();
  assertEquals(stage.closed, 1);
});

Deno.test("PluginInstances.acquire gives up a module whose top level never ends", async () => {
  using loader = new Loader();
  const stage = new Stage();
  const artifact = await loader.resolve(
    "data:text/javascript,await new Promise(() => {}); export default {}",
  );
  const acquiring = stage.instances.acquire(
    { ...specOf(), artifact, timeoutMs: 10 },
    makeContext,
  );
  stage.clock.advance(10);
  const error = await assertRejects(() => acquiring, PluginLoadError);
  assertStringIncludes(error.message, "its import did not end within 10 ms");
  stage.isEmpty();
});

Deno.test("PluginInstances.acquire names the path of each option that the schema refuses", async () => {
  const stage = new Stage({
    options: z.object({
      addresses: z.array(z.string()),
      "odd key": z.object({ deep: z.number() }),
    }),
  });
  const message = await stage.refuses("bad_options", {
    addresses: [1],
    "odd key": {},
  });
  assertStringIncludes(message, "options.addresses[0]: ");
  assertStringIncludes(message, `options["odd key"].deep: `);
  assertStringIncludes(await stage.refuses("bad_options"), "options: ");
  assertEquals(stage.contexts.length, 0);
});

Deno.test("PluginInstances.acquire gives setup what the schema made of the options", async () => {
  const stage = new Stage({
    options: z.object({ size: z.number().default(3) }),
  });
  const instance = await stage.acquire({});
  assertEquals(stage.contexts[0]!.options, { size: 3 });
  await stage.instances.release(instance);
});

Deno.test("PluginInstances.acquire checks options again when the instance is kept", async () => {
  let fine = true;
  const stage = new Stage({
    options: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value: unknown) =>
          fine ? { value } : { issues: [{ message: "file is gone" }] },
      },
    },
  });
  const instance = await stage.acquire({ a: 1 });
  fine = false;
  const error = await assertRejects(
    () => stage.acquire({ a: 1 }),
    PluginLoadError,
  );
  assertStringIncludes(error.message, "options: file is gone");
  assertEquals(stage.instances.list(), [instance]);
  assert(!instance.signal.aborted);
  await stage.instances.release(instance);
  stage.isEmpty();
});

Deno.test("PluginInstances.acquire refuses a schema that throws", async () => {
  const stage = new Stage({
    options: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate() {
          throw new Error("odd");
        },
      },
    },
  });
  assertStringIncludes(await stage.refuses("bad_options"), "odd");
});

Deno.test("PluginInstances.release fires the signal, then closes", async () => {
  const seen: boolean[] = [];
  const stage: Stage = new Stage({
    setup: ({ signal }) => ({ close: () => void seen.push(signal.aborted) }),
  });
  const instance = await stage.acquire();
  await stage.instances.release(instance);
  assertEquals(seen, [true]);
  await assertRejects(() => stage.instances.release(instance), RangeError);
});

Deno.test("PluginInstances.release logs a close that throws", async () => {
  const stage = new Stage({
    setup: () => ({ close: () => Promise.reject(new Error("stuck")) }),
  });
  await stage.instances.release(await stage.acquire());
  assertEquals(stage.logged.length, 1);
  assertStringIncludes(stage.logged[0]!, "stuck");
  stage.isEmpty();
});

Deno.test("PluginInstances.release waits 5 seconds for close", async () => {
  const stage = new Stage({
    setup: () => ({ close: () => new Promise<void>(() => {}) }),
  });
  const instance = await stage.acquire();
  const releasing = stage.instances.release(instance);
  stage.clock.advance(4_999);
  assertEquals(stage.logged, []);
  stage.clock.advance(1);
  await releasing;
  assertStringIncludes(stage.logged[0]!, "did not close within 5000 ms");
  stage.isEmpty();
});

Deno.test("PluginInstances.acquire waits for the end of the same instance", async () => {
  const gate = Promise.withResolvers<void>();
  const stage = new Stage({ setup: () => ({ close: () => gate.promise }) });
  const old = await stage.acquire();
  const releasing = stage.instances.release(old);
  const acquiring = stage.acquire();
  await settle();
  assertEquals(stage.contexts.length, 1);
  gate.resolve();
  const fresh = await acquiring;
  assertNotEquals(fresh, old);
  assertEquals(stage.contexts.length, 2);
  await releasing;
  await stage.instances.release(fresh);
});

Deno.test("PluginInstances keeps one instance and one import over 200 reloads", async () => {
  await using host = new ModuleHost({
    "/p.js": `
let setups = 0;
export default { name: "p", setup: () => ({ close() {}, conditions: { [\`c\${++setups}\`]: () => () => true } }) };`,
  });
  using loader = new Loader();
  const stage = new Stage();
  const resolve = () => loader.resolve(`${host.origin}/p.js`);
  let held = await stage.instances.acquire(
    { ...specOf(), artifact: await resolve() },
    makeContext,
  );
  const first = held;
  for (let i = 0; i < 200; i++) {
    const next = await stage.instances.acquire(
      { ...specOf(), artifact: await resolve() },
      makeContext,
    );
    await stage.instances.release(held);
    held = next;
  }
  assert(held === first);
  assertEquals(Object.keys(held.parts.conditions!), ["c1"]);
  await stage.instances.release(held);
  stage.isEmpty();
});

Deno.test("PluginInstances runs changed bytes beside the old ones until these are released", async () => {
  await using host = new ModuleHost({});
  using loader = new Loader();
  const stage = new Stage();
  const held = [];
  for (const name of ["old", "new"]) {
    host.pages.set(
      "/p.ts",
      `export default { name: "${name}", setup: () => ({}) };`,
    );
    const artifact = await loader.resolve(`${host.origin}/p.ts`);
    held.push(
      await stage.instances.acquire({ ...specOf(), artifact }, makeContext),
    );
  }
  assertEquals(stage.instances.list().map(({ name }) => name), ["old", "new"]);
  const [old, fresh] = held as [PluginInstance, PluginInstance];
  await stage.instances.release(old);
  assert(old.signal.aborted);
  assert(!fresh.signal.aborted);
  await stage.instances.release(fresh);
});
