import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { textOf } from "../support/byte_streams.ts";
import { freePorts } from "../support/free_ports.ts";
import { runHeadrace, startHeadrace } from "../support/headrace_process.ts";

/** An empty folder to be an author in. */
async function emptyFolder() {
  const path = await Deno.makeTempDir({ prefix: "headrace-author-" });
  return {
    path,
    headrace: (...args: string[]) => runHeadrace(args, { cwd: path }),
    /** Runs Deno itself in a folder of it. */
    async deno(folder: string, ...args: string[]) {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args,
        cwd: `${path}/${folder}`,
        env: { NO_COLOR: "1" },
      }).output();
      return { code, output: textOf(stdout) + textOf(stderr) };
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true });
    },
  };
}

Deno.test("plugin new: what it writes is formatted, linted, tested, and works", async () => {
  await using author = await emptyFolder();
  const made = await author.headrace("plugin", "new", "delete-2");
  assertEquals([made.code, made.stderr], [0, ""]);
  assertEquals(made.stdout.trimEnd().split("\n").sort(), [
    "delete-2/README.md",
    "delete-2/delete-2.ts",
    "delete-2/delete-2_test.ts",
    "delete-2/deno.json",
    "delete-2/headrace.yaml",
  ]);
  // README's test checks the types: that takes all of the core's.
  const tools = [["fmt", "--check"], ["lint"], ["test", "-A", "--no-check"]];
  for (const args of tools) {
    const { code, output } = await author.deno("delete-2", ...args);
    assertEquals([args, code], [args, 0], output);
    if (args[0] === "test") assertStringIncludes(output, "3 passed");
  }

  const config = `${author.path}/delete-2/headrace.yaml`;
  const [web = 0, admin = 0] = freePorts(2);
  const text = await Deno.readTextFile(config);
  await Deno.writeTextFile(
    config,
    text.replace("127.0.0.1:8080", `127.0.0.1:${web}`) +
      `admin: { address: "127.0.0.1:${admin}" }\nworkers: 1\n`,
  );
  await using process = startHeadrace(["--config", config]);
  await process.wrote("Headrace serves");
  const open = await fetch(`http://127.0.0.1:${web}/`);
  assertEquals(
    [await open.text(), open.headers.get("x-greeting")],
    ["it works\n", "hello from delete-2"],
  );
  const blocked = await fetch(`http://127.0.0.1:${web}/secret`);
  assertEquals([blocked.status, await blocked.text()], [403, "not here\n"]);
});

Deno.test("plugin new: never touches what is there, and refuses names that are none", async () => {
  await using author = await emptyFolder();
  await Deno.mkdir(`${author.path}/taken`);
  const taken = await author.headrace("plugin", "new", "taken");
  assertEquals([taken.code, taken.stdout], [1, ""]);
  assertStringIncludes(taken.stderr, "is there already");
  for (const name of ["Hello", "../x", "a b", "1st", "a".repeat(65)]) {
    const { code, stderr } = await author.headrace("plugin", "new", name);
    assertEquals([name, code], [name, 2]);
    assertStringIncludes(stderr, JSON.stringify(name));
  }
  const left = Array.from(Deno.readDirSync(author.path), ({ name }) => name);
  assertEquals(left, ["taken"]);
});

const PLUGIN = `
  import { join } from "node:path";
  import { word } from "./word.ts";
  export default {
    name: "sample",
    setup: ({ options }: any) => ({
      handlers: { foundProduct: () => undefined, finish: () => undefined },
      close: () => { join(word, options ?? ""); },
    }),
  };`;

Deno.test("plugin check and hash: what a plugin is made of, wants and does", async () => {
  await using author = await emptyFolder();
  await Deno.writeTextFile(`${author.path}/sample.ts`, PLUGIN);
  await Deno.writeTextFile(
    `${author.path}/word.ts`,
    `export const word = "x";`,
  );
  const hash = await author.headrace("plugin", "hash", "./sample.ts");
  assertEquals([hash.code, hash.stderr], [0, ""]);
  assertMatch(hash.stdout, /^sha256-[A-Za-z0-9+/]{43}=\n$/);

  const checked = await author.headrace("plugin", "check", "./sample.ts");
  assertEquals([checked.code, checked.stderr], [0, ""]);
  const rows = [
    `integrity: ${hash.stdout.trim()}`,
    `size: ${PLUGIN.length + 24} bytes in 2 modules`,
    "word.ts 24 bytes, sha256 ",
    "imports of packages: node:path",
    "permissions: net, read, write, env, run, sys, ffi, those of this process",
    "name: sample",
    "options: any, as there is no schema",
    "points: foundProduct, finish",
    "other parts: close",
  ];
  for (const row of rows) assertStringIncludes(checked.stdout, row);
});

Deno.test("plugin check: tells the schema of options, and takes options", async () => {
  await using author = await emptyFolder();
  await Deno.writeTextFile(
    `${author.path}/strict.ts`,
    `import { z } from "npm:zod@^4.1.0";
    export default {
      name: "strict",
      options: z.strictObject({ paths: z.array(z.string()) }),
      setup: ({ options }: any) => {
        if (options.paths.includes("bad")) throw new Error("not that path");
        return {};
      },
    };`,
  );
  const check = (...args: string[]) =>
    author.headrace("plugin", "check", "./strict.ts", ...args);
  const fine = await check("--options", `{"paths":["/a"]}`);
  assertEquals([fine.code, fine.stderr], [0, ""]);
  assertStringIncludes(fine.stdout, `"paths": {`);
  assertStringIncludes(fine.stdout, "points: none");

  // What can be told without options is told.
  const without = await check();
  assertEquals(without.code, 1);
  assertStringIncludes(without.stdout, `"paths": {`);
  assertStringIncludes(without.stderr, "expected object, received undefined");
  const thrown = await check("--options", `{"paths":["bad"]}`);
  assertEquals(thrown.code, 1);
  assertStringIncludes(thrown.stderr, "not that path");
  assertEquals((await check("--options", "{")).code, 2);
});

Deno.test("plugin check: a built-in plugin and a package have no hash, and are checked all the same", async () => {
  await using author = await emptyFolder();
  const builtin = await author.headrace("plugin", "check", "builtin:headers");
  assertEquals([builtin.code, builtin.stderr], [0, ""]);
  for (
    const row of [
      "builtin:headers\nintegrity: none, it is part of Headrace\n",
      "name: headers",
      `"response": {`,
      "other parts: none",
    ]
  ) assertStringIncludes(builtin.stdout, row);

  const wrong = await author.headrace("plugin", "check", "builtin:cors");
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.stdout, `"origins": {`);
  assertStringIncludes(wrong.stderr, "expected object, received undefined");

  // A package that is here and no plugin.
  const npm = await author.headrace("plugin", "check", "npm:hono@^4.13.0");
  assertEquals(npm.code, 1);
  assertStringIncludes(npm.stdout, "integrity: none, Deno fetches it");
  assertStringIncludes(npm.stderr, "Cannot load plugin npm:hono@^4.13.0");
  assert(!npm.stderr.includes("pinned"), npm.stderr);
});

Deno.test("plugin check and hash: what can't be had or is no plugin is refused, with the reason", async () => {
  await using author = await emptyFolder();
  await Deno.writeTextFile(`${author.path}/none.ts`, "export const x = 1;");
  const rows = [
    ["check", "./none.ts", "no default export"],
    ["check", "./lost.ts", "there is no such file"],
    ["hash", "./lost.ts", "there is no such file"],
    ["hash", "lost.ts", `write "./lost.ts"`],
    ["hash", "builtin:headers", "can't be pinned"],
    ["hash", "npm:zod", "can't be pinned"],
    ["check", "builtin:heders", `did you mean "headers"`],
  ];
  for (const [what = "", url = "", reason = ""] of rows) {
    const { code, stderr } = await author.headrace("plugin", what, url);
    assertEquals([what, url, code], [what, url, 1]);
    assertStringIncludes(stderr, reason);
    assert(!stderr.includes("    at "), stderr);
  }
});
