import type { ClusterConfig, Config } from "../../../core/config/config.ts";
import { loadConfig } from "../../../core/config/load.ts";
import {
  expandNames,
  namesToExpand,
} from "../../../core/supervisor/expand_names.ts";
import { assert, assertEquals } from "../../support/assert.ts";

async function configOf(...clusters: readonly object[]): Promise<Config> {
  const { config, problems } = await loadConfig({
    path: "test.yaml",
    text: JSON.stringify({
      listeners: [{
        name: "tcp",
        address: "127.0.0.1:0",
        protocol: "tcp",
        cluster: "main",
      }],
      clusters,
    }),
    env: () => undefined,
  });
  assertEquals(problems, []);
  return config!;
}

const ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  "api.test": ["10.0.0.1", "2001:db8::1"],
  "db.test": ["10.0.1.1"],
  "gone.test": [],
};

function expand(config: Config): ClusterConfig[] {
  return [...expandNames(config, (name) => ADDRESSES[name]!).clusters];
}

Deno.test("namesToExpand: host names of clusters with dns: all, each once", async () => {
  const config = await configOf(
    {
      name: "main",
      dns: "all",
      backends: [
        { url: "http://api.test:1" },
        { url: "http://API.test:2" },
        { url: "http://10.0.0.9:1" },
        { url: "http://[::1]:1" },
        { url: "unix:/run/app.sock" },
      ],
    },
    { name: "first", backends: [{ url: "http://db.test:1" }] },
  );
  assertEquals([...namesToExpand(config)], ["api.test"]);
});

Deno.test("expandNames: a backend for each address, with all that the file says of the one", async () => {
  const [main, first] = expand(
    await configOf(
      {
        name: "main",
        dns: "all",
        subclusters: [
          {
            name: "east",
            weight: 3,
            backends: [{
              id: "a",
              url: "http://api.test:9001/v1",
              weight: 7,
              maxConnections: 5,
              backup: true,
            }, { url: "tcp://10.0.0.9:1" }],
          },
          { name: "west", backends: [{ url: "tcp://db.test:5432" }] },
        ],
      },
      { name: "first", backends: [{ id: "f", url: "http://api.test:1" }] },
    ),
  );
  const [east, west] = main!.subclusters;
  assertEquals([east!.name, east!.weight], ["east", 3]);
  const url = {
    scheme: "http",
    hostname: "api.test",
    port: 9001,
    path: undefined,
    prefix: "/v1",
    href: "http://api.test:9001/v1",
  };
  const said = { weight: 7, maxConnections: 5, backup: true };
  assertEquals(east!.backends.slice(0, 2) as unknown, [
    { id: "a@10.0.0.1", url: { ...url, address: "10.0.0.1" }, ...said },
    { id: "a@[2001:db8::1]", url: { ...url, address: "2001:db8::1" }, ...said },
  ]);
  assertEquals(east!.backends.slice(2).map(({ id }) => id), ["10.0.0.9:1"]);
  assertEquals(west!.backends.map(({ id }) => id), ["db.test:5432@10.0.1.1"]);
  assertEquals(first!.subclusters[0]!.backends.map(({ id }) => id), ["f"]);
});

Deno.test("expandNames: a name without addresses has no backends, and the cluster stays", async () => {
  const [main] = expand(
    await configOf({
      name: "main",
      dns: "all",
      backends: [{ id: "a", url: "http://gone.test:1" }],
    }),
  );
  assertEquals(main!.subclusters.map(({ backends }) => backends), [[]]);
});

Deno.test("expandNames: a config with nothing to expand is as it was", async () => {
  const config = await configOf({
    name: "main",
    backends: [{ url: "http://api.test:1" }],
  });
  assert(
    expandNames(config, () => {
      throw new Error("Nobody asks");
    }) === config,
  );
});
