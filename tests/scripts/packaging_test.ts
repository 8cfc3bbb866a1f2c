import { COMMANDS } from "../../core/cli/commands.ts";
import { loadConfig } from "../../core/config/load.ts";
import { VERSION } from "../../core/version.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { textOf } from "../support/byte_streams.ts";
import { COMPILER, whyNoCompiler } from "../support/executables.ts";

const ROOT = new URL("../../", import.meta.url);
const UNIT = new URL("scripts/packaging/headrace.service", ROOT);
const DOCKERFILE = await Deno.readTextFile(
  new URL("scripts/packaging/Dockerfile", ROOT),
);

/** Runs a program; undefined where it is not here. */
async function run(program: string, args: string[], cwd?: string) {
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      env: { NO_COLOR: "1" },
      ...(cwd !== undefined && { cwd }),
    }).output();
    return { code, output: textOf(stdout) + textOf(stderr) };
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    console.log(`Not tried: there is no ${program} here`);
    return undefined;
  }
}

/** The unit's file with a program that is there. */
async function unitFile(folder: string): Promise<string> {
  const text = await Deno.readTextFile(UNIT);
  assertStringIncludes(text, "ExecStart=/usr/local/bin/headrace --config");
  const path = `${folder}/headrace.service`;
  const there = text.replaceAll("/usr/local/bin/headrace", "/bin/true");
  await Deno.writeTextFile(path, there);
  return path;
}

Deno.test("the systemd unit is one that systemd takes, and is hardened", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-unit-" });
  try {
    const path = await unitFile(folder);
    const verified = await run("systemd-analyze", ["verify", path]);
    if (verified === undefined) return;
    assertEquals([verified.code, verified.output], [0, ""]);
    const judged = await run("systemd-analyze", [
      "security",
      "--offline=true",
      "--no-pager",
      path,
    ]);
    const [, exposure] = /exposure level .*: ([\d.]+)/.exec(judged!.output) ??
      [];
    assert(Number(exposure) <= 2, judged!.output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the systemd unit waits longer than a drain takes, and reloads by SIGHUP", async () => {
  const unit = await Deno.readTextFile(UNIT);
  const { config } = await loadConfig({
    path: "test.yaml",
    text: `listeners: [{ name: web, address: "127.0.0.1:80" }]
clusters: [{ name: main, backends: [{ url: "http://127.0.0.1:1" }] }]`,
    env: () => undefined,
  });
  const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(unit) ?? [];
  assert(config !== undefined);
  assert(Number(seconds) * 1_000 > config.drain.timeout, unit);
  assertMatch(unit, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
});

Deno.test("the Dockerfile copies what is there, runs commands that exist, as nobody", async () => {
  for (const [, sources] of DOCKERFILE.matchAll(/^COPY ([^-].*) \S+$/gm)) {
    for (const source of sources!.split(" ")) {
      await Deno.stat(new URL(source, ROOT));
    }
  }
  const [, health] = /^HEALTHCHECK .* CMD \["headrace", "(\w+)"\]$/m.exec(
    DOCKERFILE,
  ) ?? [];
  assert(COMMANDS.some(({ name }) => name === health), health);
  assertMatch(DOCKERFILE, /^USER [1-9]\d*:[1-9]\d*$/m);
  const ci = await Deno.readTextFile(new URL(".ci/run", ROOT));
  const [, version] = /npx -y deno@([\d.]+)/.exec(ci) ?? [];
  assertStringIncludes(DOCKERFILE, `FROM denoland/deno:${version} AS build`);
});

const noCompiler = await whyNoCompiler();
if (noCompiler !== undefined) {
  console.log(`A release is skipped: nothing compiles here: ${noCompiler}`);
}

Deno.test({
  name: "a release has an executable, completions, the unit and their sums",
  ignore: noCompiler !== undefined,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "headrace-release-" });
    const script = new URL("scripts/release.ts", ROOT).pathname;
    const release = (target: string) =>
      run(COMPILER, [
        "run",
        "-A",
        script,
        "--output",
        folder,
        "--target",
        target,
      ]);
    try {
      const { target } = Deno.build;
      const made = await release(target);
      assertEquals(made?.code, 0, made?.output);
      const program = `headrace-${VERSION}-${target}`;
      const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
      assertEquals(names.sort(), [
        "SHA256SUMS",
        program,
        "headrace.bash",
        "headrace.fish",
        "headrace.service",
        "headrace.zsh",
      ]);
      const summed = await run("sha256sum", ["-c", "SHA256SUMS"], folder);
      assertEquals(summed?.code, 0, summed?.output);
      assertEquals(summed?.output.match(/: OK$/gm)?.length, names.length - 1);
      const wrong = await release("pdp11-unknown-unix");
      assertEquals(wrong?.code, 2);
      assertStringIncludes(wrong!.output, 'found "pdp11-unknown-unix"');
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
