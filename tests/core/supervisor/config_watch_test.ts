import { configFile } from "../../../core/cli/config_file.ts";
import { createLog } from "../../../core/observe/log.ts";
import {
  ConfigWatch,
  WATCH_INTERVAL,
} from "../../../core/supervisor/config_watch.ts";
import type { ConfigSource } from "../../../core/supervisor/load_candidate.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { startProxy } from "../../support/proxy.ts";

/** A watch over a source that "a" was loaded from. */
async function watching(file: ConfigSource) {
  const clock = new FakeClock();
  const logged: { level: string; message: string; config: string }[] = [];
  const loads: string[] = [];
  const watch = new ConfigWatch(file);
  await watch.source.read();
  watch.start({
    reload: async () => {
      const text = await watch.source.read();
      loads.push(text);
      if (text.startsWith("bad")) throw new Error("refused, and told");
    },
    clock,
    log: createLog({
      level: "debug",
      format: "json",
      write: (line) => logged.push(JSON.parse(line)),
    }),
  });
  return {
    watch,
    clock,
    loads,
    logged,
    async look(times = 1) {
      for (let i = 0; i < times; i++) {
        clock.advance(WATCH_INTERVAL);
        await watch.settled();
      }
    },
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      assertEquals(clock.pending, 0);
    },
  };
}

/** A file that holds what is written into `text`; undefined is no file. */
function fakeFile() {
  return {
    path: "proxy.yaml",
    baseDir: "/",
    text: "a" as string | undefined,
    read() {
      return this.text === undefined
        ? Promise.reject(new Deno.errors.NotFound("No such file"))
        : Promise.resolve(this.text);
    },
  };
}

Deno.test("ConfigWatch: a text that is the same in two looks is loaded, once", async () => {
  const file = fakeFile();
  using t = await watching(file);
  await t.look(3);
  assertEquals(t.loads, []);
  file.text = "b";
  await t.look();
  assertEquals(t.loads, []);
  await t.look();
  assertEquals(t.loads, ["b"]);
  await t.look(5);
  assertEquals([t.loads, t.logged], [["b"], []]);
});

Deno.test("ConfigWatch: what is written in pieces is loaded when it is whole", async () => {
  const file = fakeFile();
  using t = await watching(file);
  for (const piece of ["", "b", "bb", "bbb"]) {
    file.text = piece;
    await t.look();
  }
  assertEquals(t.loads, []);
  await t.look();
  assertEquals(t.loads, ["bbb"]);
});

Deno.test("ConfigWatch: a change that is taken back is none", async () => {
  const file = fakeFile();
  using t = await watching(file);
  for (const text of ["b", "a", "b", "a", "a"]) {
    file.text = text;
    await t.look();
  }
  assertEquals(t.loads, []);
});

Deno.test("ConfigWatch: what is refused is not tried again until it changes", async () => {
  const file = fakeFile();
  using t = await watching(file);
  file.text = "bad";
  await t.look(6);
  assertEquals(t.loads, ["bad"]);
  // Back to what is in use, for whoever asks which config was refused last.
  file.text = "a";
  await t.look(6);
  file.text = "bad";
  await t.look(6);
  file.text = "b";
  await t.look(6);
  assertEquals(t.loads, ["bad", "a", "bad", "b"]);
});

Deno.test("ConfigWatch: what somebody else had loaded is not loaded again", async () => {
  const file = fakeFile();
  using t = await watching(file);
  file.text = "b";
  await t.look();
  await t.watch.source.read();
  await t.look(3);
  assertEquals(t.loads, []);
});

Deno.test("ConfigWatch: a file that can't be read is told of after 5 s, once; back it is looked at again", async () => {
  const file = fakeFile();
  using t = await watching(file);
  const second = 1_000 / WATCH_INTERVAL;
  file.text = undefined;
  await t.look(4 * second);
  file.text = "a";
  await t.look();
  file.text = undefined;
  await t.look(5 * second);
  assertEquals(t.logged, []);
  await t.look(20 * second);
  assertEquals(t.logged.length, 1);
  assertEquals(
    [t.logged[0]!.level, t.logged[0]!.config],
    ["warn", "proxy.yaml"],
  );
  file.text = "b";
  await t.look(2);
  assertEquals(t.loads, ["b"]);
  file.text = undefined;
  await t.look(6 * second);
  assertEquals([t.loads, t.logged.length], [["b"], 2]);
});

Deno.test("ConfigWatch: what goes away between two looks is a new find", async () => {
  const file = fakeFile();
  using t = await watching(file);
  for (const text of ["b", undefined, "b"]) {
    file.text = text;
    await t.look();
  }
  assertEquals(t.loads, []);
  await t.look();
  assertEquals(t.loads, ["b"]);
});

Deno.test("ConfigWatch: looks don't pile up, and one that ends after the watch loads nothing", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  let reads = 0;
  const file = {
    path: "slow.yaml",
    baseDir: "/",
    read: () => Promise.resolve(++reads === 1 ? "a" : "b"),
  };
  using t = await watching(file);
  await t.look();
  file.read = () => {
    reads++;
    return promise;
  };
  for (let i = 0; i < 5; i++) t.clock.advance(WATCH_INTERVAL);
  assertEquals(reads, 3);
  t.watch[Symbol.dispose]();
  resolve("b");
  await t.watch.settled();
  assertEquals(t.loads, []);
});

Deno.test("ConfigWatch: files that are renamed, written in place or swapped behind links", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-watch-" });
  const at = (name: string) => `${folder}/${name}`;
  try {
    await Deno.writeTextFile(at("proxy.yaml"), "a");
    using t = await watching(configFile(at("proxy.yaml")));
    // As vim does it: the old one aside, the new one under its name.
    await Deno.rename(at("proxy.yaml"), at("proxy.yaml~"));
    await t.look();
    await Deno.writeTextFile(at("proxy.yaml"), "renamed");
    await t.look(3);
    await Deno.writeTextFile(at("new"), "moved over it");
    await Deno.rename(at("new"), at("proxy.yaml"));
    await t.look(3);
    // Of the same length, with the time that it had.
    const { mtime } = await Deno.stat(at("proxy.yaml"));
    await Deno.writeTextFile(at("proxy.yaml"), "moved upon it");
    await Deno.utime(at("proxy.yaml"), mtime!, mtime!);
    await t.look(3);
    await Deno.utime(at("proxy.yaml"), new Date(), new Date());
    await t.look(3);
    assertEquals(t.loads, ["renamed", "moved over it", "moved upon it"]);

    // As Kubernetes mounts it: proxy.yaml → ..data/proxy.yaml, ..data → a folder.
    for (const version of ["1", "2"]) {
      await Deno.mkdir(at(version));
      await Deno.writeTextFile(at(`${version}/mounted.yaml`), version);
    }
    await Deno.symlink("1", at("..data"));
    await Deno.symlink("..data/mounted.yaml", at("mounted.yaml"));
    using mounted = await watching(configFile(at("mounted.yaml")));
    await Deno.symlink("2", at("..data_tmp"));
    await Deno.rename(at("..data_tmp"), at("..data"));
    await Deno.remove(at("1"), { recursive: true });
    await mounted.look(3);
    assertEquals([mounted.loads, mounted.logged], [["2"], []]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Supervisor.reloadOnChange: until the drain", async () => {
  const clock = new FakeClock();
  await using proxy = await startProxy(
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
clusters: [{ name: main, backends: [{ url: "http://127.0.0.1:1" }] }]
workers: 1
`,
    { clock },
  );
  const reloads = () =>
    proxy.logged.filter((line) => line.includes("The config was reloaded"))
      .length;
  const file = fakeFile();
  const watch = new ConfigWatch(file);
  await watch.source.read();
  proxy.supervisor.reloadOnChange(watch);
  const change = async (text: string) => {
    file.text = text;
    for (let i = 0; i < 3; i++) {
      clock.advance(WATCH_INTERVAL);
      await watch.settled();
      // The proxy loads from its own source.
      if (i === 1) await watch.source.read();
    }
  };
  await change("b");
  assertEquals(reloads(), 1);
  await proxy.supervisor.drain();
  await change("c");
  assertEquals(reloads(), 1);
  // Who drains already begins no watch.
  proxy.supervisor.reloadOnChange(watch);
  await change("d");
  assertEquals(reloads(), 1);
  assert(!proxy.logged.some((line) => line.includes("refused")));
});
