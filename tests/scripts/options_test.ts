import fc from "fast-check";
import {
  flag,
  list,
  numbers,
  one,
  oneOf,
  only,
  parseOptions,
  PATH,
  POSITIVE,
  UsageError,
  usageOf,
  V8_FLAG,
  WHOLE,
} from "../../scripts/options.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertThrows,
} from "../support/assert.ts";
import { textOf } from "../support/byte_streams.ts";
import { runsOf } from "../support/property.ts";

const ROOT = new URL("../../", import.meta.url);

const CASES = ["16 KB body", "TLS, kept alive", "TLS, a handshake each"];
const LEVEL = numbers("a level from 1 to 9", (level) => level <= 9);

const OPTIONS = {
  seconds: one(POSITIVE, { does: "of traffic", unit: "seconds", default: 1.5 }),
  runs: one(WHOLE, { does: "of each case", default: 3 }),
  level: one(LEVEL, {
    does: "of gzip",
    default: undefined,
    byDefault: "gzip's own",
  }),
  only: only(CASES),
  io: one(oneOf(["standard", "direct"]), {
    does: "reads",
    default: "standard",
  }),
  rate: list(POSITIVE, { does: "one each", default: [200, 2000] }),
  beside: list(oneOf(["nginx", "direct"]), { does: "also", default: [] }),
  output: one(PATH, { does: "folder", default: "dist" }),
  "v8-flags": list(V8_FLAG, { does: "for the proxy", default: [] }),
  json: flag("prints JSON"),
};

const DEFAULTS = {
  seconds: 1.5,
  runs: 3,
  level: undefined,
  only: CASES,
  io: "standard",
  rate: [200, 2000],
  beside: [],
  output: "dist",
  "v8-flags": [],
  json: false,
} as const;

Deno.test("options: what is not given has its default", () => {
  const values = parseOptions(OPTIONS, [])!;
  assertEquals<unknown>(values, DEFAULTS);
  // Types are those of the table.
  const seconds: number = values.seconds;
  const level: number | undefined = values.level;
  const io: "standard" | "direct" = values.io;
  const beside: readonly ("nginx" | "direct")[] = values.beside;
  assertEquals<unknown[]>([seconds, level, io, beside], [
    1.5,
    undefined,
    "standard",
    [],
  ]);
});

for (
  const [args, expected] of [
    [["--seconds", "0.25", "--runs=7"], { seconds: 0.25, runs: 7 }],
    [["--runs", "7", "--runs", "8"], { runs: 8 }],
    [["--level", "9"], { level: 9 }],
    [["--only", "TLS"], { only: CASES.slice(1) }],
    [["--only", "each,16 KB"], { only: [CASES[2], CASES[0]] }],
    [["--io", "direct", "--json"], { io: "direct", json: true }],
    [["--rate", "1,0.5", "--rate", "3"], { rate: [1, 0.5, 3] }],
    [["--beside=nginx,direct"], { beside: ["nginx", "direct"] }],
    [["--output", "a b"], { output: "a b" }],
    [["--v8-flags=--no-opt,--x=1"], { "v8-flags": ["--no-opt", "--x=1"] }],
    [["--v8-flags", "--no-opt"], { "v8-flags": ["--no-opt"] }],
    [["--"], {}],
  ] as const
) {
  Deno.test(`options: ${args.join(" ")} is read`, () => {
    assertEquals<unknown>(parseOptions(OPTIONS, args), {
      ...DEFAULTS,
      ...expected,
    });
  });
}

const IO = "--io: expected standard or direct, found";
const RUNS = "--runs: expected a whole number above 0, found";
const ONLY =
  '--only: expected a part of "16 KB body", "TLS, kept alive" or "TLS, a handshake each", found';
const KNOWN =
  "expected --seconds, --runs, --level, --only, --io, --rate, --beside, --output, --v8-flags, --json, --help";

for (
  const [args, message] of [
    [["--nonsense"], `Unknown option "--nonsense": ${KNOWN}`],
    [["--nonsense=3"], `Unknown option "--nonsense": ${KNOWN}`],
    [["--toString"], `Unknown option "--toString": ${KNOWN}`],
    [["-r", "3"], `Unknown option "-r": ${KNOWN}`],
    [["--no-json"], `Unknown option "--no-json": ${KNOWN}`],
    [["TLS"], `Unknown argument "TLS": ${KNOWN}`],
    [["--", "--json"], `Unknown argument "--json": ${KNOWN}`],
    [["--a\nb"], `Unknown option "--a\\nb": ${KNOWN}`],
    [["--json=yes"], '--json: expected no value, found "yes"'],
    [["--runs"], `${RUNS} nothing`],
    [["--runs="], `${RUNS} nothing`],
    [["--runs", "--json"], `${RUNS} nothing`],
    [["--runs", "--help"], `${RUNS} nothing`],
    [["--runs", "many"], `${RUNS} "many"`],
    [["--runs", "0"], `${RUNS} "0"`],
    [["--runs", "-1"], `${RUNS} "-1"`],
    [["--runs", "1.5"], `${RUNS} "1.5"`],
    [["--runs", "1e99"], `${RUNS} "1e99"`],
    [["--runs", "x", "--runs", "3"], `${RUNS} "x"`],
    [
      ["--seconds", "Infinity"],
      '--seconds: expected a number above 0, found "Infinity"',
    ],
    [["--level", "10"], '--level: expected a level from 1 to 9, found "10"'],
    [["--only", "TLS,UDP"], `${ONLY} "UDP"`],
    [["--only", "TLS,"], `${ONLY} nothing`],
    [["--io", "fast"], `${IO} "fast"`],
    [["--io"], `${IO} nothing`],
    [["--rate", "1,no"], '--rate: expected a number above 0, found "no"'],
    [["--beside", "me"], '--beside: expected nginx or direct, found "me"'],
    [["--output", "--json"], "--output: expected a path, found nothing"],
    [
      ["--v8-flags", "no-opt"],
      '--v8-flags: expected flags such as --no-opt, found "no-opt"',
    ],
  ] as const
) {
  Deno.test(`options: ${JSON.stringify(args)} is refused`, () => {
    const { message: found } = assertThrows(
      () => parseOptions(OPTIONS, args),
      UsageError,
    );
    assertEquals(found, message);
  });
}

Deno.test("options: whoever asks for help gets it whatever else is there", () => {
  for (const args of [["--help"], ["-h"], ["--nonsense", "--help", "x"]]) {
    assertEquals(parseOptions(OPTIONS, args), undefined);
  }
});

Deno.test("options: every command line is read, asks for help, or is refused in one line", () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(...Object.keys(OPTIONS), "help").map((name) => `--${name}`),
    fc.constantFrom("--", "-h", "1", "1,2", "TLS", "direct", "--runs=2"),
  );
  fc.assert(
    fc.property(fc.array(word), (args) => {
      try {
        const values = parseOptions(OPTIONS, args);
        if (values === undefined) return;
        assertEquals(Object.keys(values), Object.keys(DEFAULTS));
        assert(values.runs > 0 && values.rate.every((rate) => rate > 0));
        assert(values.only.every((name) => CASES.includes(name)));
      } catch (thrown) {
        if (!(thrown instanceof UsageError)) throw thrown;
        assertMatch(thrown.message, /^[^\n]+: expected [^\n]+$/);
      }
    }),
    runsOf("options", 300),
  );
});

Deno.test("options: the usage text has unit, choices and default of each", () => {
  const text = usageOf({
    task: "bench",
    does: "What it costs beside others. Ends with 1 where something was wrong.",
    options: OPTIONS,
    example: "--only TLS",
  });
  assertEquals(
    text,
    `Usage: deno task bench [options]

What it costs beside others. Ends with 1 where something was wrong.

  --seconds N        of traffic (seconds; a number above 0; default: 1.5)
  --runs N           of each case (a whole number above 0; default: 3)
  --level N          of gzip (a level from 1 to 9; default: gzip's own)
  --only TEXT,…      only those whose names hold one of these texts (a part of
                     "16 KB body", "TLS, kept alive" or "TLS, a handshake each";
                     default: all)
  --io NAME          reads (standard or direct; default: standard)
  --rate N,…         one each (a number above 0; default: 200,2000)
  --beside NAME,…    also (nginx or direct; default: none)
  --output PATH      folder (a path; default: dist)
  --v8-flags FLAG,…  for the proxy (flags such as --no-opt; default: none)
  --json             prints JSON
  -h, --help         prints this

Example: deno task bench --only TLS`,
  );
});

/** Options of every task that runs a script with some arguments. */
const TASKS: Readonly<Record<string, string>> = {
  bench: "seconds runs only io json markdown save",
  "compress-cpu": "level responses runs",
  cover: "",
  "finding-load": "seconds workers",
  "gc-pauses": "seconds only v8-flags realtime rate",
  release: "output target",
  soak: "seconds workers seed scale only disk realtime",
  takeover: "rate takeovers workers tls json",
  "tls-latency": "times json",
  "websocket-load": "rows seconds runs cold mode beside v8-flags json",
};

const { tasks } = JSON.parse(
  await Deno.readTextFile(new URL("deno.json", ROOT)),
) as { tasks: Readonly<Record<string, string>> };

Deno.test("options: every task that runs a script is looked at", () => {
  const scripts = Object.entries(tasks)
    .filter(([, command]) => /^deno run -A scripts\/\w+\.ts$/.test(command))
    .map(([task]) => task);
  assertEquals(scripts.sort(), Object.keys(TASKS).sort());
});

/** Runs a task's script; its lines. */
async function run(task: string, ...args: string[]) {
  const [, ...command] = tasks[task]!.split(" ");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...command, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const linesOf = (bytes: Uint8Array) => textOf(bytes).trimEnd().split("\n");
  return { code, told: linesOf(stdout), complaints: linesOf(stderr) };
}

for (const [task, options] of Object.entries(TASKS)) {
  Deno.test(`${task}: --help tells every option, --nonsense is refused in one line`, async () => {
    const [help, nonsense] = await Promise.all([
      run(task, "--help"),
      run(task, "--nonsense"),
    ]);
    assertEquals([help.code, help.complaints], [0, [""]]);
    assertEquals(help.told[0], `Usage: deno task ${task} [options]`);
    const named = help.told.flatMap((line) =>
      /^ {2}(?:-h, )?--([\w-]+)/.exec(line)?.[1] ?? []
    );
    assertEquals(named, [...options.split(" "), "help"].filter(Boolean));
    const known = named.map((name) => `--${name}`).join(", ");
    assertEquals(nonsense, {
      code: 2,
      told: [""],
      complaints: [`Unknown option "--nonsense": expected ${known}`],
    });
  });
}
