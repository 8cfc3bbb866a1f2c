import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { runHeadrace } from "../support/headrace_process.ts";

/** A folder with a config and something that stands where the executable goes. */
async function workshop(plugins: readonly object[] = []) {
  const path = await Deno.makeTempDir({ prefix: "headrace-compile-test-" });
  await Deno.writeTextFile(
    `${path}/proxy.yaml`,
    JSON.stringify({
      listeners: [{ name: "web", address: "127.0.0.1:8080" }],
      clusters: [{ name: "main", backends: [{ url: "http://127.0.0.1:1" }] }],
      plugins,
    }),
  );
  await Deno.writeTextFile(`${path}/out`, "before");
  return {
    /** Runs it; what stood there has to stay. */
    async compile(args: readonly string[], env: Record<string, string> = {}) {
      const ran = await runHeadrace(["compile", ...args], { cwd: path, env });
      assertEquals(await Deno.readTextFile(`${path}/out`), "before");
      const names = Array.from(Deno.readDirSync(path), ({ name }) => name);
      assertEquals(names.sort(), ["out", "proxy.yaml"]);
      return ran;
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true });
    },
  };
}

const ARGS = ["--config", "proxy.yaml", "--output", "out"];

Deno.test("compile: a command line that is wrong is told of, exit 2", async () => {
  await using shop = await workshop();
  const rows: [string[], string][] = [
    [["--config", "proxy.yaml"], "compile needs --output BIN"],
    [[...ARGS, "--allow", "everything"], `current value is "everything"`],
    [[...ARGS, "extra"], "Usage: headrace compile"],
  ];
  for (const [args, reason] of rows) {
    const { code, stdout, stderr } = await shop.compile(args);
    assertEquals([args, code, stdout], [args, 2, ""]);
    assertStringIncludes(stderr, reason);
  }
});

Deno.test("compile: a config that would not start is refused as a start refuses it, exit 1", async () => {
  const wrong = `sha256-${"A".repeat(43)}=`;
  const code = "export default { name: 'a', setup: () => ({}) };";
  const rows: [object, string][] = [
    [{ use: "./none.ts" }, "there is no such file"],
    [{ use: "builtin:heders" }, `did you mean "headers"`],
    [{ use: `data:text/javascript,${code}`, integrity: wrong }, wrong],
    [{ use: "./none.ts", optoins: {} }, `did you mean "options"`],
  ];
  for (const [plugin, reason] of rows) {
    await using shop = await workshop([plugin]);
    const { code, stdout, stderr } = await shop.compile(ARGS);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, reason);
  }
});

Deno.test("compile: what the compiler can't append to gives no executable, exit 1", async () => {
  await using shop = await workshop();
  const { code, stdout, stderr } = await shop.compile(ARGS, {
    DENORT_BIN: "/bin/true",
  });
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, "does not start as Headrace");
  assertStringIncludes(stderr, "DENORT_BIN");
});
