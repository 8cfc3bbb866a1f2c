import {
  guardParts,
  guardPlugin,
  guardProductScope,
} from "../../../core/plugins/guard.ts";
import {
  type PluginLoadCode,
  PluginLoadError,
} from "../../../core/plugins/plugin_load_error.ts";
import { CALLBACK_POINTS } from "../../../core/callback_points.ts";
import type { BackendEvent, PluginParts } from "../../../core/plugin.ts";
import { z } from "zod";
import {
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

const PLACE = { use: "./p.js", name: "p" };

function refuses(run: () => unknown, code: PluginLoadCode): string {
  const error = assertThrows(run, PluginLoadError);
  assertEquals(error.code, code);
  assertEquals(error.use, PLACE.use);
  return error.message;
}

function refusesParts(parts: unknown): string {
  return refuses(() => guardParts(parts, PLACE), "bad_parts");
}

Deno.test("guardPlugin refuses modules without a default export", () => {
  for (const module of [{}, { setup() {} }, undefined]) {
    refuses(() => guardPlugin(module, "./p.js"), "no_default_export");
  }
});

Deno.test("guardPlugin refuses default exports that are no plugin", () => {
  const setup = () => ({});
  const plugins: [unknown, string][] = [
    [undefined, "it is undefined"],
    [null, "it is null"],
    [setup, "it is a function"],
    [[], "it is an array"],
    [{ setup }, "name must be"],
    [{ name: "", setup }, `current value is ""`],
    [{ name: "a b", setup }, `"a b"`],
    [{ name: "a".repeat(65), setup }, "1 to 64"],
    [{ name: "p" }, "setup must be a function: it is undefined"],
    [{ name: "p", setup, options: { type: "object" } }, "Standard Schema"],
    [{ name: "p", setup, options: null }, "Standard Schema"],
  ];
  for (const [plugin, reason] of plugins) {
    const message = refuses(
      () => guardPlugin({ default: plugin }, "./p.js"),
      "bad_plugin",
    );
    assertStringIncludes(message, reason);
  }
});

Deno.test("guardPlugin takes plugins with and without a schema, also one that is a function", () => {
  const setup = () => ({});
  const callable = Object.assign(() => {}, {
    "~standard": { version: 1, vendor: "x", validate: () => ({ value: 1 }) },
  });
  for (const options of [undefined, z.object({}), callable]) {
    const plugin = { name: "a.b_c-1", setup, options };
    assertEquals(guardPlugin({ default: plugin }, "./p.js"), plugin as never);
  }
});

Deno.test("guardParts takes every part", () => {
  const handlers = Object.fromEntries(
    CALLBACK_POINTS.map(({ name }) => [name, () => undefined]),
  );
  const conditions = { "req_moon_in": () => () => true };
  const parts = guardParts({ handlers, conditions, close() {} }, PLACE);
  assertEquals(parts.handlers, handlers as PluginParts["handlers"]);
  assertEquals(parts.conditions, conditions);
  assertEquals(guardParts({}, PLACE), {});
});

Deno.test("guardParts keeps what it checked, whatever the plugin does later", () => {
  const handlers: Record<string, unknown> = { accept: () => undefined };
  const parts = guardParts({ handlers }, PLACE);
  handlers.accept = 1;
  handlers.nonsense = 2;
  assertEquals(Object.keys(parts.handlers!), ["accept"]);
  assertEquals(typeof parts.handlers!.accept, "function");
});

Deno.test("guardParts calls close on the object that setup returned", () => {
  let closed: unknown;
  const parts = {
    close() {
      closed = this;
    },
  };
  guardParts(parts, PLACE).close!();
  assertEquals(closed === parts, true);
});

Deno.test("guardParts refuses what is no object of parts", () => {
  assertStringIncludes(refusesParts(undefined), "it returned undefined");
  assertStringIncludes(refusesParts([]), "it returned an array");
  assertStringIncludes(refusesParts(() => {}), "it returned a function");
});

Deno.test("guardParts refuses unknown parts and says which was meant", () => {
  assertStringIncludes(
    refusesParts({ handler: {} }),
    `"handler" is no part of a plugin; did you mean "handlers"?`,
  );
});

Deno.test("guardParts takes what answers operators, and refuses what does not", async () => {
  class App {
    #text = "hello";
    fetch() {
      return new Response(this.#text);
    }
  }
  const { admin } = guardParts({ admin: new App() }, PLACE);
  const answer = await admin!.fetch(new Request("http://localhost/"));
  assertEquals(await answer.text(), "hello");
  const fetch = "must be an object with fetch";
  assertStringIncludes(refusesParts({ admin: {} }), fetch);
  assertStringIncludes(refusesParts({ admin: { fetch: 1 } }), fetch);
  assertStringIncludes(refusesParts({ admin: () => {} }), fetch);
});

Deno.test("guardParts refuses unknown points and says which was meant", () => {
  const message = refusesParts({ handlers: { foundProdukt() {} } });
  assertStringIncludes(message, `no callback point "foundProdukt"`);
  assertStringIncludes(message, `did you mean "foundProduct"?`);
  assertStringIncludes(message, `plugin "p"`);
  refusesParts({ handlers: { toString() {} } });
});

Deno.test("guardParts refuses parts whose members would not be found", () => {
  class Members {
    accept() {}
  }
  for (const part of ["handlers", "conditions", "balancers", "dialers"]) {
    assertStringIncludes(
      refusesParts({ [part]: new Members() }),
      "it is a Members",
    );
    refusesParts({ [part]: new Map([["accept", () => {}]]) });
  }
  const handlers = Object.assign(Object.create(null), { accept() {} });
  guardParts({ handlers }, PLACE);
});

Deno.test("guardParts refuses handlers that are no functions", () => {
  const message = refusesParts({ handlers: { accept: undefined } });
  assertStringIncludes(message, "accept must be a function: it is undefined");
  refusesParts({ handlers: null });
  refusesParts({ handlers: [] });
});

Deno.test("guardParts refuses async functions at sync points only", () => {
  const message = refusesParts({ handlers: { async selectAlternate() {} } });
  assertStringIncludes(message, "selectAlternate must not be async");
  guardParts({ handlers: { async accept() {} } }, PLACE);
});

Deno.test("guardParts refuses conditions that no rule could use", () => {
  const named = refusesParts({ conditions: { "a-b": () => () => true } });
  assertStringIncludes(named, `"a-b"`);
  refusesParts({ conditions: { a: true } });
  refusesParts({ conditions: { async a() {} } });
  refusesParts({ conditions: [] });
});

Deno.test("guardParts calls backendChanged on the object that setup returned, with the event", () => {
  const event = { backend: "a" } as BackendEvent;
  let heard: unknown[] = [];
  const parts = {
    backendChanged(this: unknown, event: BackendEvent) {
      heard = [this === parts, event];
    },
  };
  guardParts(parts, PLACE).backendChanged!(event);
  assertEquals(heard, [true, event]);
});

Deno.test("guardParts refuses a backendChanged that is no function", () => {
  assertStringIncludes(
    refusesParts({ backendChanged: {} }),
    "backendChanged must be a function: it is an object",
  );
});

Deno.test("guardParts refuses a handlerStarted that is no function or async", () => {
  assertStringIncludes(
    refusesParts({ handlerStarted: {} }),
    "handlerStarted must be a function: it is an object",
  );
  assertStringIncludes(
    refusesParts({ async handlerStarted() {} }),
    "handlerStarted must not be async",
  );
});

Deno.test("guardParts refuses a close that is no function", () => {
  assertStringIncludes(refusesParts({ close: true }), "it is a boolean");
});

Deno.test("guardProductScope refuses handlers where no product is known, naming the point", () => {
  for (const { name, products } of CALLBACK_POINTS) {
    const parts = guardParts({ handlers: { [name]() {} } }, PLACE);
    if (products) {
      guardProductScope(parts, PLACE);
      continue;
    }
    const message = refuses(
      () => guardProductScope(parts, PLACE),
      "bad_scope",
    );
    assertStringIncludes(message, `at ${name},`);
  }
  guardProductScope({}, PLACE);
});
