import {
  hashGraph,
  resolvePlugin,
} from "../../../core/plugins/resolve_plugin.ts";
import { PluginLoadError } from "../../../core/plugins/plugin_load_error.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "../../support/assert.ts";
import { importEntry, Loader, ModuleHost } from "./module_host.ts";

const HELLO = {
  "/plugins/hello.ts": `
import type { Plugin } from "https://nowhere.invalid/plugin.ts";
import { type Greeting, greet } from "./lib/greet.ts";
import { Unused } from "./types_only.ts";
import data from "/data/words.json" with { type: "json" };
export type { Other } from "https://nowhere.invalid/other.ts";
const name: string = greet("you" as Greeting) + data.end;
export const used = (u: Unused) => u;
export default { name: "hello", text: name, setup: () => ({}) };
export const later = () => import("./lib/later.js");
`,
  "/plugins/lib/greet.ts": `
export type Greeting = string;
export function greet(who: Greeting): string { return "hi " + who; }
`,
  "/plugins/lib/later.js": `export const later = "lazy";`,
  "/data/words.json": `{"end": "!"}`,
};

Deno.test("resolvePlugin fetches imports of every kind, and types never", async () => {
  await using host = new ModuleHost(HELLO);
  using loader = new Loader();
  const artifact = await loader.resolve(`${host.origin}/plugins/hello.ts`);
  assertEquals(host.asked.toSorted(), Object.keys(HELLO).toSorted());
  assertEquals(artifact.kind, "module");
  assertEquals(artifact.url, `${host.origin}/plugins/hello.ts`);
  assertEquals(
    artifact.modules.map(({ url }) => url.slice(host.origin.length)).toSorted(),
    Object.keys(HELLO).toSorted(),
  );
  const module = await importEntry(artifact) as {
    default: { text: string };
    later(): Promise<{ later: string }>;
  };
  assertEquals(module.default.text, "hi you!");
  assertEquals((await module.later()).later, "lazy");
});

Deno.test("resolvePlugin gives data that can be posted to workers", async () => {
  using loader = new Loader();
  const artifact = await loader.resolve(
    "data:text/javascript,export default {}",
  );
  assertEquals(structuredClone(artifact), artifact);
});

Deno.test("resolvePlugin takes relative, parent and absolute paths and file: URLs", async () => {
  using loader = new Loader();
  loader.folder.write({
    "conf/a.ts": "export default 1 as number;",
    "b.mjs": "export default 2;",
  });
  const options = {
    ...loader.options,
    baseDir: `${loader.folder.path}/conf`,
  };
  const { path } = loader.folder;
  const uses = ["./a.ts", "../b.mjs", `${path}/b.mjs`, `file://${path}/b.mjs`];
  const values = [];
  for (const use of uses) {
    const artifact = await resolvePlugin({ use }, options);
    values.push((await importEntry(artifact)).default);
  }
  assertEquals(values, [1, 2, 2, 2]);
});

Deno.test("resolvePlugin takes data: URLs, plain and base64, JavaScript and TypeScript", async () => {
  using loader = new Loader();
  const text = "export default 7 as number";
  const uses = [
    "data:text/javascript,export%20default%207",
    `data:text/typescript,${encodeURIComponent(text)}`,
    `data:application/typescript;base64,${btoa(text)}`,
  ];
  for (const use of uses) {
    assertEquals((await importEntry(await loader.resolve(use))).default, 7);
  }
});

Deno.test("resolvePlugin leaves npm:, jsr: and builtin: as they are, with a hash of the specifier", async () => {
  using loader = new Loader();
  for (const use of ["npm:some-plugin@1.2.3", "jsr:@some/plugin@1"]) {
    const { kind, entry, url, hash, modules } = await loader.resolve(use);
    assertEquals([kind, entry, url], ["runtime", use, use]);
    assertMatch(hash, /^sha256-[A-Za-z0-9+/]{43}=$/);
    assertEquals(modules, []);
  }
  const builtin = await loader.resolve("builtin:headers");
  assertEquals([builtin.kind, builtin.entry], ["builtin", "builtin:headers"]);
});

Deno.test("resolvePlugin leaves npm: and node: imports to the runtime", async () => {
  await using host = new ModuleHost({
    "/p.ts": `
import { basename } from "node:path";
import { z } from "npm:zod@^4.1.0";
export default basename("/a/b") + z.string().parse("c");
`,
  });
  using loader = new Loader();
  const artifact = await loader.resolve(`${host.origin}/p.ts`);
  assertEquals(artifact.modules.length, 1);
  assertEquals((await importEntry(artifact)).default, "bc");
});

Deno.test("resolvePlugin resolves imports against the URL after redirects", async () => {
  await using host = new ModuleHost({
    "/latest.js": () =>
      new Response(null, { status: 302, headers: { location: "/v2/p.js" } }),
    "/v2/p.js": `import { v } from "./v.js"; export default v;`,
    "/v2/v.js": () =>
      new Response(null, { status: 307, headers: { location: "../w.js" } }),
    "/w.js": `export const v = 2;`,
  });
  using loader = new Loader();
  const artifact = await loader.resolve(`${host.origin}/latest.js`);
  assertEquals(artifact.url, `${host.origin}/latest.js`);
  assertEquals(
    artifact.modules.map(({ url }) => url),
    [`${host.origin}/w.js`, `${host.origin}/v2/p.js`],
  );
  assertEquals((await importEntry(artifact)).default, 2);
});

Deno.test("resolvePlugin loads import cycles", async () => {
  await using host = new ModuleHost({
    "/a.js":
      `import { b } from "./b.js"; export const a = 1; export default () => b() + 1;`,
    "/b.js": `import { a } from "./a.js"; export const b = () => a + 1;`,
  });
  using loader = new Loader();
  const artifact = await loader.resolve(`${host.origin}/a.js`);
  const { default: run } = await importEntry(artifact);
  assertEquals((run as () => number)(), 3);
});

Deno.test("resolvePlugin keeps the module's URL and line in stack traces", async () => {
  await using host = new ModuleHost({
    "/p.ts": `interface A {
  b: string;
}
export default function (a: A) {
  throw new Error("here" + a.b);
}`,
  });
  using loader = new Loader();
  const artifact = await loader.resolve(`${host.origin}/p.ts`);
  const { default: run } = await importEntry(artifact);
  const error = await assertRejects(async () => {
    await (run as (a: unknown) => void)({ b: "" });
  });
  assertStringIncludes(error.stack!, `${host.origin}/p.ts:5:`);
});

Deno.test("resolvePlugin keeps columns of JavaScript in stack traces, behind rewritten imports too", async () => {
  const code =
    `import { b } from "./b.js"; export default () => { b(); throw new Error("here"); };`;
  await using host = new ModuleHost({
    "/one_line.js": code,
    "/b.js": "export const b = () => {};",
  });
  using loader = new Loader();
  const artifact = await loader.resolve(`${host.origin}/one_line.js`);
  const { default: run } = await importEntry(artifact);
  const error = await assertRejects(async () => {
    await (run as () => void)();
  });
  const column = code.indexOf("new Error") + 1;
  assertStringIncludes(error.stack!, `/one_line.js:1:${column}`);
});

Deno.test("resolvePlugin gives changed modules a new entry while the old stays usable", async () => {
  await using host = new ModuleHost({
    "/p.ts": `import { v } from "./v.ts"; export default () => v;`,
    "/v.ts": `export const v: number = 1;`,
  });
  using loader = new Loader();
  const first = await loader.resolve(`${host.origin}/p.ts`);
  const { default: old } = await importEntry(first);
  host.pages.set("/v.ts", `export const v: number = 2;`);
  const second = await loader.resolve(`${host.origin}/p.ts`);
  const { default: changed } = await importEntry(second);
  assertNotEquals(first.hash, second.hash);
  assertNotEquals(first.entry, second.entry);
  assertEquals((changed as () => number)(), 2);
  assertEquals((old as () => number)(), 1);
});

Deno.test("resolvePlugin gives unchanged modules the same entry and writes nothing", async () => {
  await using host = new ModuleHost(HELLO);
  using loader = new Loader();
  const use = `${host.origin}/plugins/hello.ts`;
  const first = await loader.resolve(use);
  const before = Deno.statSync(new URL(first.entry)).ino;
  for (let i = 0; i < 20; i++) {
    assertEquals(await loader.resolve(use), first);
  }
  assertEquals(Deno.statSync(new URL(first.entry)).ino, before);
  const entries = [...Deno.readDirSync(loader.options.cacheDir)];
  assertEquals(
    entries.length,
    2,
    "one folder and last_good, nothing temporary",
  );
});

Deno.test("resolvePlugin lays the same graph out once for concurrent calls", async () => {
  await using host = new ModuleHost(HELLO);
  using loader = new Loader();
  const use = `${host.origin}/plugins/hello.ts`;
  const artifacts = await Promise.all(
    Array.from({ length: 8 }, () => loader.resolve(use)),
  );
  assertEquals(new Set(artifacts.map(({ entry }) => entry)).size, 1);
  const entries = [...Deno.readDirSync(loader.options.cacheDir)];
  assertEquals(
    entries.length,
    2,
    "one folder and last_good, nothing temporary",
  );
});

Deno.test("resolvePlugin repairs a damaged copy in the cache", async () => {
  await using host = new ModuleHost({ "/p.js": "export default 5;" });
  using loader = new Loader();
  const { entry } = await loader.resolve(`${host.origin}/p.js`);
  Deno.writeTextFileSync(new URL(entry), "export default");
  const again = await loader.resolve(`${host.origin}/p.js`);
  assertEquals(again.entry, entry);
  assertEquals((await importEntry(again)).default, 5);
});

Deno.test("resolvePlugin names a cache folder that can't be written", async () => {
  using loader = new Loader();
  loader.folder.write({ "cache": "a file in the way" });
  const message = await loader.refuses(
    "data:text/javascript,export default 1",
    "cache_failed",
  );
  assertStringIncludes(message, loader.options.cacheDir);
});

Deno.test("resolvePlugin takes a graph that matches its pin", async () => {
  await using host = new ModuleHost(HELLO);
  using loader = new Loader();
  const use = `${host.origin}/plugins/hello.ts`;
  const { hash, url, modules } = await hashGraph(use, loader.options);
  const artifact = await loader.resolve({ use, integrity: hash });
  assertEquals(artifact.hash, hash);
  assertEquals(artifact.url, url);
  assertEquals(artifact.modules, modules);
});

Deno.test("resolvePlugin refuses a graph whose nested import changed under the pin, with both hashes", async () => {
  await using host = new ModuleHost(HELLO);
  using loader = new Loader();
  const use = `${host.origin}/plugins/hello.ts`;
  const pinned = await hashGraph(use, loader.options);
  host.pages.set("/data/words.json", `{"end": "?"}`);
  const changed = await hashGraph(use, loader.options);
  const message = await loader.refuses(
    { use, integrity: pinned.hash },
    "pin_mismatch",
  );
  assertStringIncludes(message, pinned.hash);
  assertStringIncludes(message, changed.hash);
});

Deno.test("resolvePlugin refuses a pin that is none", async () => {
  using loader = new Loader();
  const use = "data:text/javascript,export default 1";
  for (const integrity of ["", "sha256-", "sha512-abc", "sha256-abc="]) {
    const message = await loader.refuses({ use, integrity }, "bad_pin");
    assertStringIncludes(message, `"${integrity}"`);
  }
});

Deno.test("resolvePlugin refuses pins on what it does not fetch", async () => {
  using loader = new Loader();
  const { hash } = await hashGraph(
    "data:text/javascript,export default 1",
    loader.options,
  );
  for (const use of ["npm:a@1", "jsr:@a/b@1", "builtin:headers"]) {
    await loader.refuses({ use, integrity: hash }, "pin_not_possible");
  }
});

Deno.test("resolvePlugin refuses plain http from other hosts unless pinned", async () => {
  let fetched = 0;
  const elsewhere: typeof fetch = () => {
    fetched++;
    return Promise.resolve(
      new Response("export default 1", {
        headers: { "content-type": "text/javascript" },
      }),
    );
  };
  using loader = new Loader({ fetch: elsewhere });
  const use = "http://plugins.example/p.js";
  assertStringIncludes(await loader.refuses(use, "insecure_url"), "pin");
  assertEquals(fetched, 0);
  const { hash } = await hashGraph(use, loader.options);
  const artifact = await loader.resolve({ use, integrity: hash });
  assertEquals(artifact.hash, hash);
});

Deno.test("resolvePlugin takes plain http from every name of this machine", async () => {
  using loader = new Loader({
    fetch: () =>
      Promise.resolve(
        new Response("export default 1", {
          headers: { "content-type": "text/javascript" },
        }),
      ),
  });
  for (const host of ["localhost", "127.8.9.1", "127.1", "[::1]:81"]) {
    const artifact = await loader.resolve(`http://${host}/p.js`);
    assertEquals(artifact.kind, "module");
  }
  for (
    const host of ["127.0.0.1.nip.example", "localhost.example", "0.0.0.0"]
  ) {
    await loader.refuses(`http://${host}/p.js`, "insecure_url");
  }
});

Deno.test("resolvePlugin refuses what no plugin can come from", async () => {
  using loader = new Loader();
  await loader.refuses("", "bad_use");
  await loader.refuses("https://", "bad_use");
  assertStringIncludes(
    await loader.refuses("plugins/x.ts", "bad_use"),
    `"./plugins/x.ts"`,
  );
  await loader.refuses("ftp://example.com/x.ts", "unsupported_scheme");
  await loader.refuses("blob:abc", "unsupported_scheme");
  await loader.refuses("node:fs", "unsupported_scheme");
});

Deno.test("resolvePlugin says which built-in was meant", async () => {
  using loader = new Loader();
  const message = await loader.refuses("builtin:acess-log", "unknown_builtin");
  assertStringIncludes(message, `did you mean "access-log"?`);
});

Deno.test("resolvePlugin ends with the signal's reason", async () => {
  const gate = Promise.withResolvers<Response>();
  const arrived = Promise.withResolvers<void>();
  await using host = new ModuleHost({
    "/p.js": () => {
      arrived.resolve();
      return gate.promise;
    },
  });
  const stop = new AbortController();
  using loader = new Loader({ signal: stop.signal });
  const loading = loader.resolve(`${host.origin}/p.js`);
  await arrived.promise;
  stop.abort(new RangeError("enough"));
  await assertRejects(() => loading, RangeError, "enough");
  gate.resolve(new Response());
});

Deno.test("hashGraph gives the same hash for the same files at another place", async () => {
  await using host = new ModuleHost({
    "/p.ts": `import "./lib/a.ts"; export default 1;`,
    "/lib/a.ts": `import "../b.ts";`,
    "/b.ts": `export {};`,
  });
  using loader = new Loader();
  for (const folder of ["x", "y/z"]) {
    for (const [path, text] of host.pages) {
      loader.folder.write({ [folder + path]: text as string });
    }
  }
  const hashes = new Set<string>();
  for (const use of [`${host.origin}/p.ts`, "./x/p.ts", "./y/z/p.ts"]) {
    hashes.add((await hashGraph(use, loader.options)).hash);
  }
  assertEquals(hashes.size, 1);
});

Deno.test("hashGraph tells apart what redirects made of the same modules", async () => {
  let swapped = false;
  const redirect = (to: string) => () =>
    new Response(null, { status: 302, headers: { location: to } });
  await using host = new ModuleHost({
    "/p.js": `import "./a.js"; import "./b.js";`,
    "/a.js": () => redirect(swapped ? "/2.js" : "/1.js")(),
    "/b.js": () => redirect(swapped ? "/1.js" : "/2.js")(),
    "/1.js": `export const n = 1;`,
    "/2.js": `export const n = 2;`,
  });
  using loader = new Loader();
  const before = await hashGraph(`${host.origin}/p.js`, loader.options);
  swapped = true;
  const after = await hashGraph(`${host.origin}/p.js`, loader.options);
  assertNotEquals(before.hash, after.hash);
});

Deno.test("hashGraph writes nothing and refuses what can't be pinned", async () => {
  using loader = new Loader();
  await hashGraph("data:text/javascript,export default 1", loader.options);
  assert(![...Deno.readDirSync(loader.folder.path)].length);
  const error = await assertRejects(
    () => hashGraph("npm:a@1", loader.options),
    PluginLoadError,
  );
  assertEquals(error.code, "pin_not_possible");
});
