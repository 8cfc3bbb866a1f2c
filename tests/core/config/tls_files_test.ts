/**
 * The PEM files that a config names: what becomes of them, and what is refused.
 */
import { loadConfig } from "../../../core/config/load.ts";
import { formatProblem } from "../../../core/config/problem.ts";
import { tlsWarnings } from "../../../core/config/tls_files.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { makeAuthority } from "../../support/certificates.ts";

const authority = await makeAuthority();
const one = await authority.issue({ commonName: "one", client: true });
const two = await authority.issue({ commonName: "two", client: true });

/** By their paths relative to the config's folder. */
const FILES: Readonly<Record<string, string>> = {
  "/etc/headrace/ca.crt": authority.cert,
  "/etc/headrace/tls/one.crt": one.cert + authority.cert,
  "/etc/headrace/tls/one.key": one.key,
  "/run/two.key": two.key,
  "/etc/headrace/empty.crt": "",
  // A SEQUENCE of three bytes that has two: random bytes would break elsewhere each time.
  "/etc/headrace/broken.crt":
    "-----BEGIN CERTIFICATE-----\nMAMCAQ==\n-----END CERTIFICATE-----\n",
};

/** Loads a config whose one cluster has this `tls`; and the files that were read. */
async function load(tls: object) {
  const read: string[] = [];
  const { config, problems } = await loadConfig({
    path: "/etc/headrace/proxy.yaml",
    text: JSON.stringify({
      listeners: [{ name: "web", address: "127.0.0.1:8080" }],
      clusters: [{ name: "app", backends: [{ url: "https://a" }], tls }],
    }),
    env: () => undefined,
    readFile: (path) => {
      read.push(path);
      const text = FILES[path];
      return text === undefined
        ? Promise.reject(new Deno.errors.NotFound(path))
        : Promise.resolve(text);
    },
  });
  return { config, problems: problems.map(formatProblem), read };
}

async function problemsOf(tls: object): Promise<string[]> {
  const { problems } = await load(tls);
  return problems.map((problem) => problem.replace(/^.*?clusters\[0\]\./, ""));
}

Deno.test("loadConfig reads tls files beside the config, each once, and keeps what they hold", async () => {
  const { config, problems, read } = await load({
    ca: "ca.crt",
    serverName: "API.internal",
    cert: "tls/one.crt",
    key: "tls/one.key",
  });
  assertEquals(problems, []);
  assert(config !== undefined);
  assertEquals(config.clusters[0]!.tls, {
    ca: { path: "ca.crt", pem: authority.cert },
    serverName: "api.internal",
    cert: { path: "tls/one.crt", pem: one.cert + authority.cert },
    key: { path: "tls/one.key", pem: one.key },
  });
  assertEquals(read.length, 3);
});

Deno.test("loadConfig takes an IP address as tls.serverName, and leaves out what is left out", async () => {
  const { config } = await load({ serverName: "10.0.0.1" });
  assertEquals(config?.clusters[0]?.tls, {
    ca: undefined,
    serverName: "10.0.0.1",
    cert: undefined,
    key: undefined,
  });
});

Deno.test("loadConfig refuses tls files that are of no use, with their places", async () => {
  assertEquals(await problemsOf({ ca: "empty.crt" }), [
    'tls.ca: expected a PEM file with -----BEGIN CERTIFICATE-----, is "empty.crt"',
  ]);
  assertEquals(await problemsOf({ ca: "broken.crt" }), [
    `tls.ca: expected certificates, number 1 can't be read: Unexpected end, is "broken.crt"`,
  ]);
  assertEquals(await problemsOf({ ca: "nowhere.crt" }), [
    'tls.ca: cannot read the file (NotFound), is "nowhere.crt"',
  ]);
  assertEquals(await problemsOf({ cert: "tls/one.crt", key: "ca.crt" }), [
    'tls.key: expected a PEM file with -----BEGIN PRIVATE KEY-----, is "ca.crt"',
  ]);
  assertEquals(await problemsOf({ cert: "tls/one.crt", key: "/run/two.key" }), [
    "tls.key: expected the key of the first certificate in clusters[0].tls.cert",
  ]);
});

Deno.test("loadConfig never tells what a tls file holds", async () => {
  const all = await Promise.all([
    problemsOf({ ca: "tls/one.key" }),
    problemsOf({ cert: "tls/one.key", key: "tls/one.crt" }),
  ]);
  const [, secret = ""] = one.key.split("\n");
  assert(all.flat().length > 0);
  assert(!all.flat().join("\n").includes(secret.slice(0, 20)));
});

Deno.test("tlsWarnings tells where this Deno would trust more than a ca file", async () => {
  const { config } = await load({ ca: "ca.crt" });
  assertEquals(tlsWarnings(config!), []);
  const [warning, ...others] = tlsWarnings(config!, false);
  assert(warning!.startsWith("clusters[0].tls.ca: Deno 2"), warning);
  assertEquals(others, []);
  assertEquals(tlsWarnings((await load({})).config!, false), []);
});
