import { loadConfig } from "../../../core/config/load.ts";
import { formatProblem } from "../../../core/config/problem.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { makeAuthority } from "../../support/certificates.ts";

const ca = await makeAuthority();
const DAY = 86_400_000;

/** Loads a config at /etc/headrace/proxy.yaml whose files are these. */
async function load(tls: object, files: Record<string, string>) {
  const config = {
    listeners: [{ name: "web", address: "127.0.0.1:8443", tls }],
    clusters: [{ name: "app", backends: [{ url: "http://10.0.0.1:9001" }] }],
  };
  const read: string[] = [];
  const loaded = await loadConfig({
    path: "/etc/headrace/proxy.yaml",
    text: JSON.stringify(config),
    env: () => undefined,
    readFile(path) {
      read.push(path);
      const text = files[path];
      return text === undefined
        ? Promise.reject(new Deno.errors.NotFound("no such file"))
        : Promise.resolve(text);
    },
  }, { now: Date.now() });
  const shown = (problems: readonly Parameters<typeof formatProblem>[0][]) =>
    problems.map((problem) =>
      formatProblem(problem).replace(/^\S+ listeners\[0\]\.tls\./, "")
    );
  return {
    read,
    loaded,
    problems: shown(loaded.problems),
    warnings: loaded.config === undefined ? [] : shown(loaded.warnings),
  };
}

const PAIR = { cert: "a.crt", key: "/keys/a.key" };

Deno.test("tls: paths are relative to the config file, and what was read goes with the config", async () => {
  const { cert, key } = await ca.issue({ names: ["a.test"] });
  const files = { "/etc/headrace/a.crt": cert, "/keys/a.key": key };
  const { loaded, problems, warnings } = await load(
    { certificates: [PAIR] },
    files,
  );
  assertEquals([problems, warnings], [[], []]);
  assert(loaded.config !== undefined);
  assertEquals(loaded.files, { "a.crt": cert, "/keys/a.key": key });
});

Deno.test("tls: every file that can't be used is told with its place", async () => {
  const good = await ca.issue({ names: ["a.test"] });
  const other = await ca.issue({ names: ["b.test"] });
  const { problems } = await load({
    certificates: [
      { cert: "good.crt", key: "other.key" },
      { cert: "ca.crt", key: "ca.key" },
      { cert: "missing.crt", key: "good.key" },
    ],
    clientAuth: { ca: "good.key" },
  }, {
    "/etc/headrace/good.crt": good.cert,
    "/etc/headrace/good.key": good.key,
    "/etc/headrace/other.key": other.key,
    "/etc/headrace/ca.crt": ca.cert,
    "/etc/headrace/ca.key": ca.key,
  });
  assertEquals(problems, [
    'certificates[0].key: expected the key of the certificate beside it, is another one, is "other.key"',
    "certificates[1].cert: expected a server's certificate, is an authority's (CA:TRUE), which clients refuse as a server's own, is \"ca.crt\"",
    'certificates[2].cert: cannot read the file (no such file), is "missing.crt"',
    'clientAuth.ca: expected a PEM file with -----BEGIN CERTIFICATE-----, is "good.key"',
  ]);
});

Deno.test("tls: a certificate that expired, or is not valid yet, is a warning", async () => {
  const names = ["a.test"];
  const expired = await ca.issue({
    names,
    notBefore: new Date("2020-01-01T00:00:00Z"),
    notAfter: new Date("2021-01-01T00:00:00Z"),
  });
  const early = await ca.issue({
    names,
    notBefore: new Date(Date.now() + DAY),
  });
  for (
    const [pair, message] of [
      [expired, "the certificate expired on 2021-01-01"],
      [early, "the certificate is valid only from "],
    ] as const
  ) {
    const { problems, warnings } = await load({ certificates: [PAIR] }, {
      "/etc/headrace/a.crt": pair.cert,
      "/keys/a.key": pair.key,
    });
    assertEquals(problems, []);
    assert(warnings[0]?.startsWith(`certificates[0].cert: ${message}`));
  }
});
