import type { ListenerConfig } from "../../../core/config/config.ts";
import { RefusedError } from "../../../core/data_plane/control.ts";
import { parseListenAddress } from "../../../core/net/address.ts";
import { createLog } from "../../../core/observe/log.ts";
import { controlPath, HandOver } from "../../../core/takeover/hand_over.ts";
import { LineChannel } from "../../../core/takeover/line_channel.ts";
import { LockFile } from "../../../core/takeover/lock_file.ts";
import { Predecessors } from "../../../core/takeover/predecessors.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";

const LISTENERS = [{
  name: "web",
  address: parseListenAddress("127.0.0.1:80"),
  socket: { noDelay: true, keepAlive: true, backlog: 1 },
} as ListenerConfig];

const SECRET = crypto.getRandomValues(new Uint8Array(32));

/** An old process with a lock, which notes what it does. */
class OldProcess implements AsyncDisposable {
  readonly folder: string;
  readonly done: string[] = [];
  readonly logged: string[] = [];
  readonly clock = new FakeClock();
  problem: string | undefined;
  /** It can't let go of its admin address. */
  broken = false;
  readonly #stack = new AsyncDisposableStack();

  private constructor(folder: string) {
    this.folder = folder;
    this.#stack.defer(() => Deno.remove(folder, { recursive: true }));
  }

  static async start({ listens = true } = {}): Promise<OldProcess> {
    const old = new OldProcess(await Deno.makeTempDir());
    const { folder } = old;
    const path = controlPath(folder);
    const lock = await LockFile.take(`${folder}/80@127.0.0.1.lock`, {
      pid: 11,
      control: path,
    });
    assert(lock instanceof LockFile);
    old.#stack.defer(() => lock.release());
    if (!listens) return old;
    old.#stack.use(
      await HandOver.listen({
        path,
        secret: SECRET,
        problem: () => old.problem,
        releaseAdmin: () =>
          old.broken
            ? Promise.reject(new Error("broken"))
            : old.#note("admin released"),
        restoreAdmin: () => old.#note("admin restored"),
        restoreAddresses: () => old.#note("addresses restored"),
        drain: () => void old.#note("draining"),
        clock: old.clock,
        log: createLog({ write: (line) => old.logged.push(line) }),
      }),
    );
    return old;
  }

  find(): Promise<Predecessors> {
    return Predecessors.find(this.folder, LISTENERS);
  }

  /** It goes on for a while after it was told. */
  async drainBegan(): Promise<void> {
    await eventually("the news", () => this.logged.join().includes("draining"));
    assert(!this.done.includes("draining"));
    this.clock.advance(400);
    assertEquals(this.done.at(-1), "draining");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #note(what: string): Promise<void> {
    this.done.push(what);
    return Promise.resolve();
  }
}

Deno.test("takeover – the new one learns the secret, gets the admin address, and has the old one drain", async () => {
  await using old = await OldProcess.start();
  using from = await old.find();
  assertEquals([from.pids, from.controls.size], [[11], 1]);
  assertEquals(from.secret, SECRET);
  assertEquals(old.done, []);
  await from.releaseAdmin();
  assertEquals(old.done, ["admin released"]);
  await from.drain();
  await old.drainBegan();
  assertEquals(old.done, ["admin released", "draining"]);
});

Deno.test("takeover – where the new one gives up before the end the old one goes on, and can be asked again", async () => {
  await using old = await OldProcess.start();
  (await old.find())[Symbol.dispose]();
  await eventually("the news", () => old.logged.join().includes("going on"));
  assertEquals(old.done.splice(0), ["addresses restored"]);
  {
    using from = await old.find();
    await from.releaseAdmin();
  }
  await eventually("the admin", () => old.done.length === 3);
  assertEquals(old.done, [
    "admin released",
    "addresses restored",
    "admin restored",
  ]);
  using again = await old.find();
  await again.drain();
  await old.drainBegan();
});

Deno.test("takeover – an old one that can't, and one that is being taken over, say so", async () => {
  await using old = await OldProcess.start();
  old.problem = "it is draining";
  await assertRejects(
    () => old.find(),
    RefusedError,
    "Cannot take over from process 11: it is draining",
  );
  old.problem = undefined;
  using _first = await old.find();
  await assertRejects(
    () => old.find(),
    RefusedError,
    "Cannot take over from process 11: another process takes over already",
  );
});

Deno.test("takeover – an old one that does not listen yet is not taken over", async () => {
  await using old = await OldProcess.start({ listens: false });
  await assertRejects(
    () => old.find(),
    RefusedError,
    "Cannot take over from process 11: it starts or ends just now",
  );
});

Deno.test("takeover – of an old one that is gone meanwhile nothing is wanted", async () => {
  const old = await OldProcess.start();
  using from = await old.find();
  await old[Symbol.asyncDispose]();
  await from.releaseAdmin();
  await from.drain();
});

Deno.test("takeover – an old one that fails to do its part, and is there, is not passed over", async () => {
  await using old = await OldProcess.start();
  old.broken = true;
  using from = await old.find();
  await assertRejects(
    () => from.releaseAdmin(),
    RefusedError,
    "Cannot take over from process 11: it does not answer",
  );
});

Deno.test("takeover – where nobody has the addresses there is nobody to ask", async () => {
  const folder = await Deno.makeTempDir();
  try {
    using from = await Predecessors.find(`${folder}/new`, LISTENERS);
    assertEquals([from.pids, from.secret], [[], undefined]);
    await from.releaseAdmin();
    await from.drain();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("takeover – what says no hello is not answered, and harms nobody", async () => {
  await using old = await OldProcess.start();
  const [path] = [...Deno.readDirSync(old.folder)]
    .filter(({ name }) => name.endsWith(".sock"))
    .map(({ name }) => `${old.folder}/${name}`);
  for (const text of ["{}\n", "nonsense\n", "x".repeat(100_000), ""]) {
    using conn = await Deno.connect({ transport: "unix", path: path! });
    using channel = new LineChannel(conn);
    const bytes = new TextEncoder().encode(text);
    try {
      for (let at = 0; at < bytes.length;) {
        at += await conn.write(bytes.subarray(at));
      }
      if (text === "") continue;
      assertEquals(await channel.receive(), undefined);
    } catch (thrown) {
      // It closed before it had all of it.
      assert(thrown instanceof Deno.errors.BrokenPipe, String(thrown));
    }
  }
  using from = await old.find();
  assertEquals(from.pids, [11]);
});

Deno.test("HandOver – removes the sockets of processes that ended badly, and no others", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const dead = Deno.listen({ transport: "unix", path: `${folder}/d.sock` });
    await Deno.rename(`${folder}/d.sock`, `${folder}/dead.sock`);
    dead.close();
    using _living = Deno.listen({
      transport: "unix",
      path: `${folder}/living.sock`,
    });
    await using _ = await HandOver.listen({
      path: `${folder}/own.sock`,
      secret: SECRET,
      problem: () => undefined,
      releaseAdmin: () => Promise.resolve(),
      restoreAdmin: () => Promise.resolve(),
      restoreAddresses: () => Promise.resolve(),
      drain: () => {},
      clock: new FakeClock(),
      log: createLog({ write: () => {} }),
    });
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "living.sock",
      "own.sock",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
