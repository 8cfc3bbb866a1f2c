/**
 * Bodies on disk, in a process with a folder for temporary files of its own: a
 * disk that is full, clients that leave, workers and processes that die. Linux
 * only, as open files are counted in `/proc`.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { ResettableConn } from "../support/resettable_conn.ts";

const ignore = Deno.build.os !== "linux";
if (ignore) console.log("Bodies on disk are tested on Linux only");

/** A folder that holds 1 MiB at most; undefined where the system lets nobody mount one. */
async function smallDisk() {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const run = async (command: string, ...args: string[]) => {
    const { success } = await new Deno.Command(command, {
      args,
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  };
  const mounted = await run(
    "mount",
    "-t",
    "tmpfs",
    "-o",
    "size=1m",
    "tmpfs",
    folder,
  );
  return {
    folder,
    mounted,
    async [Symbol.asyncDispose]() {
      if (mounted) await run("umount", folder);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Dies where it is told to. */
const DYING = dataPlugin(`export default {
  name: "dying",
  setup: () => ({
    handlers: { foundProduct: ({ path }) => { if (path === "/die") self.close(); } },
  }),
};`);

/** A process that buffers bodies on disk, with its temporary files in a folder. */
async function startBuffering(folder: string, workers = 1) {
  const backend = serveHttpBackend(async (request) =>
    new Response(String((await request.arrayBuffer()).byteLength))
  );
  const [port = 0, admin = 0] = freePorts(2);
  const config = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
      clusters: [{
        name: "main",
        backends: [{ url: backend.url }],
        requestBuffer: { bytes: "1KiB", disk: "100MiB" },
      }],
      plugins: [{ use: DYING }],
      admin: { address: `127.0.0.1:${admin}` },
      workers,
    }),
  );
  const process = startHeadrace(["--config", config], {
    env: { TMPDIR: folder },
  });
  await eventually("the listener", async () => {
    try {
      (await Deno.connect({ port })).close();
      return true;
    } catch {
      return false;
    }
  }, 30_000);
  return {
    port,
    process,
    /** Files of bodies that it has open. */
    open: () =>
      [...Deno.readDirSync(`/proc/${process.pid}/fd`)].filter(({ name }) => {
        try {
          return Deno.readLinkSync(`/proc/${process.pid}/fd/${name}`)
            .includes("headrace-body-");
        } catch {
          // It was closed in the meantime.
          return false;
        }
      }).length,
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
      await Deno.remove(config);
    },
  };
}

/** Names in a folder. */
function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

function put(length: number, sent = length): string {
  return `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${
    "x".repeat(sent)
  }`;
}

Deno.test({
  name:
    "requestBuffer: a full disk means 503, leaves nothing behind, and is no matter once there is room",
  ignore,
  async fn() {
    await using disk = await smallDisk();
    if (!disk.mounted) {
      console.log("No small disk: this system lets us mount nothing");
      return;
    }
    await using t = await startBuffering(disk.folder);
    for (let i = 0; i < 3; i++) {
      using client = await HttpClient.connect(t.port);
      const sent = client.send(put(3 << 20)).catch(() => {
        // The connection may end before all of it is sent.
      });
      assertEquals((await client.response()).status, 503);
      client.close();
      await sent;
      await eventually("no open file", () => t.open() === 0);
      assertEquals(namesIn(disk.folder), []);
      using next = await HttpClient.connect(t.port);
      await next.send(put(900_000));
      assertEquals((await next.response()).text, "900000");
    }
  },
});

Deno.test({
  name:
    "requestBuffer: clients that leave, kill -9, workers that die: no file stays",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
    const nameless = () =>
      eventually(
        "files without names",
        () => !namesIn(folder).some((name) => /^headrace-body-/.test(name)),
      );
    const begin = async (port: number) => {
      const conn = await ResettableConn.connect(port);
      await new HttpClient(conn).send(put(100_000, 50_000));
      return conn;
    };
    try {
      await using first = await startBuffering(folder);
      const leaving = await Promise.all(
        Array.from({ length: 6 }, () => begin(first.port)),
      );
      await eventually("their files", () => first.open() === 6);
      await nameless();
      for (const [i, conn] of leaving.entries()) {
        if (i % 2 === 0) await conn.reset();
        else conn.close();
      }
      await eventually("no open file", () => first.open() === 0);

      const conn = await begin(first.port);
      await eventually("its file", () => first.open() === 1);
      await nameless();
      first.process.kill("SIGKILL");
      await first.process.code;
      conn.close();
      await nameless();

      // As one that was killed in the moment in which its file had a name.
      await Deno.writeTextFile(
        `${folder}/headrace-body-${first.process.pid}-x`,
        "x",
      );
      await using second = await startBuffering(folder, 2);
      await nameless();
      const lost = await Promise.all(
        Array.from({ length: 6 }, () => begin(second.port)),
      );
      await eventually("their files", () => second.open() === 6);
      await nameless();
      for (let i = 0; i < 20 && second.open() > 0; i++) {
        using client = await HttpClient.connect(second.port);
        await client.send("GET /die HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ended();
      }
      assertEquals(second.open(), 0);
      for (const conn of lost) conn.close();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
