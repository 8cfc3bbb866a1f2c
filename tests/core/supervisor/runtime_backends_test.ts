/**
 * What operators added and deleted, over reloads of the file.
 *
 * @module
 */
import type { Config } from "../../../core/config/config.ts";
import {
  placedBackends,
  revise,
  type RuntimeBackends,
  UNCHANGED,
  withAdded,
  withDeleted,
} from "../../../core/supervisor/runtime_backends.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { configOf } from "../admin/fake_source.ts";

const url = (port: number) => `http://127.0.0.1:${port}`;

/** Cluster `main` with subclusters of backends by id and port, weight 1. */
function file(
  subclusters: Readonly<Record<string, Readonly<Record<string, number>>>>,
  backend: object = {},
): Promise<Config> {
  return configOf({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{
      name: "main",
      subclusters: Object.entries(subclusters).map(([name, backends]) => ({
        name,
        backends: Object.entries(backends).map(([id, port]) => ({
          id,
          url: url(port),
          ...backend,
        })),
      })),
    }],
  });
}

/** A backend of another config, to be added. */
async function placed(id: string, port: number, subcluster = "east") {
  return placedBackends(await file({ [subcluster]: { [id]: port } }))[0]!;
}

/** `subcluster id:port` of each backend in its order. */
function shown(config: Config): string[] {
  return placedBackends(config).map(({ subcluster, config: { id, url } }) =>
    `${subcluster} ${id}:${url.port}`
  );
}

async function deleted(config: Config, id: string): Promise<RuntimeBackends> {
  const one = placedBackends(config).find((one) => one.config.id === id)!;
  return await Promise.resolve(withDeleted(UNCHANGED, one));
}

Deno.test("revise: nothing changed is the file's config itself", async () => {
  const config = await file({ east: { a: 1 } });
  const revised = revise(config, UNCHANGED);
  assert(revised.config === config);
  assertEquals([revised.runtime, revised.dropped], [UNCHANGED, []]);
});

Deno.test("revise: added ones stand behind the file's of their subcluster, in their order", async () => {
  const config = await file({ east: { a: 1 }, west: { b: 2 } });
  let runtime = UNCHANGED;
  for (const [id, port] of [["x", 8], ["y", 9]] as const) {
    runtime = withAdded(runtime, await placed(id, port));
  }
  runtime = withAdded(runtime, await placed("z", 7, "west"));
  assertEquals(shown(revise(config, runtime).config), [
    "east a:1",
    "east x:8",
    "east y:9",
    "west b:2",
    "west z:7",
  ]);
  const one = withDeleted(runtime, await placed("x", 8));
  assertEquals(one.deleted, []);
  assertEquals(shown(revise(config, one).config), [
    "east a:1",
    "east y:9",
    "west b:2",
    "west z:7",
  ]);
});

Deno.test("revise: an added one goes where a reload brings its id, or loses its subcluster", async () => {
  const runtime = withAdded(UNCHANGED, await placed("x", 8));
  for (
    const next of [
      await file({ east: { a: 1 }, west: { x: 9 } }),
      await file({ west: { a: 1 } }),
    ]
  ) {
    const revised = revise(next, runtime);
    assertEquals(shown(revised.config), shown(next));
    assertEquals(revised.runtime, UNCHANGED);
    assertEquals(revised.dropped.map(({ config }) => config.id), ["x"]);
    // What was given up does not come back by itself.
    const back = await file({ east: { a: 1 } });
    assertEquals(shown(revise(back, revised.runtime).config), ["east a:1"]);
  }
});

Deno.test("revise: a deleted one stays away as long as the file's entry is the same", async () => {
  const config = await file({ east: { a: 1, b: 2 } });
  const runtime = await deleted(config, "a");
  const reordered = await configOf({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{
      name: "main",
      subclusters: [{ name: "east", backends: [{ url: url(1), id: "a" }] }],
    }],
  });
  for (
    const same of [
      config,
      reordered,
      await file({ east: { a: 1, b: 2, c: 3 } }),
      await file({ west: { d: 4 }, east: { b: 9, a: 1 } }),
    ]
  ) {
    const revised = revise(same, runtime);
    assertEquals(
      shown(revised.config),
      shown(same).filter((one) => one !== "east a:1"),
    );
    assertEquals(revised.runtime, runtime);
  }
});

Deno.test("revise: a deleted one comes back where the file's entry was changed or moved", async () => {
  const config = await file({ east: { a: 1, b: 2 } });
  const runtime = await deleted(config, "a");
  for (
    const changed of [
      await file({ east: { a: 9, b: 2 } }),
      await file({ east: { b: 2 }, west: { a: 1 } }),
      await file({ east: { a: 1, b: 2 } }, { weight: 5 }),
    ]
  ) {
    const revised = revise(changed, runtime);
    assertEquals(shown(revised.config), shown(changed));
    assertEquals(revised.runtime, UNCHANGED);
  }
});

Deno.test("revise: a deleted one that the file left out once is new when it is there again", async () => {
  const config = await file({ east: { a: 1, b: 2 } });
  const without = revise(
    await file({ east: { b: 2 } }),
    await deleted(config, "a"),
  );
  assertEquals(without.runtime, UNCHANGED);
  assertEquals(shown(revise(config, without.runtime).config), shown(config));
});

Deno.test("revise: one that was deleted and added again is the added one, until the file changes it", async () => {
  const config = await file({ east: { a: 1, b: 2 } });
  const runtime = withAdded(await deleted(config, "a"), await placed("a", 7));
  assertEquals(shown(revise(config, runtime).config), ["east b:2", "east a:7"]);
  const changed = await file({ east: { a: 5, b: 2 } });
  const revised = revise(changed, runtime);
  assertEquals(shown(revised.config), ["east a:5", "east b:2"]);
  assertEquals(revised.dropped.map(({ config }) => config.url.port), [7]);
  // Deleted once more, neither of the two is left.
  const again = withDeleted(runtime, await placed("a", 7));
  assertEquals(shown(revise(config, again).config), ["east b:2"]);
});
