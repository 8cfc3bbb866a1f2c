import type { ListenerConfig } from "../../../core/config/config.ts";
import { RefusedError } from "../../../core/data_plane/control.ts";
import { parseListenAddress } from "../../../core/net/address.ts";
import {
  holdersOf,
  ListenerLocks,
} from "../../../core/takeover/listener_locks.ts";
import { createLog } from "../../../core/observe/log.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";

function listeners(...addresses: readonly string[]): ListenerConfig[] {
  return addresses.map((text, i) =>
    ({
      name: `l${i}`,
      address: parseListenAddress(text),
      socket: { noDelay: true, keepAlive: true, backlog: 1 },
    }) as ListenerConfig
  );
}

interface Stage {
  readonly folder: string;
  readonly logged: string[];
  locks(pid: number, from?: readonly number[]): ListenerLocks;
}

async function onStage(run: (stage: Stage) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const logged: string[] = [];
  try {
    await run({
      folder,
      logged,
      locks: (pid, from = []) =>
        new ListenerLocks({
          folder,
          holder: { pid, control: `/${pid}` },
          from: new Set(from.map((pid) => `/${pid}`)),
          log: createLog({ write: (line) => logged.push(line) }),
        }),
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function take(
  locks: ListenerLocks,
  ...addresses: readonly string[]
): Promise<void> {
  await locks.commit(await locks.prepare(listeners(...addresses)));
}

Deno.test("ListenerLocks – a second process is refused, with every address and the first one's id", () =>
  onStage(async ({ locks }) => {
    const [first, second] = [locks(11), locks(22)];
    await take(first, "127.0.0.1:80", "[::1]:90-91", "unix:/run/x~y.sock");
    const refused = await assertRejects(
      () =>
        take(
          second,
          "127.0.0.1:80",
          "[::1]:91",
          "unix:/run/x~y.sock",
          "127.0.0.1:81",
        ),
      RefusedError,
    );
    const because =
      "the Headrace with process id 11 serves it (--takeover replaces that)";
    assertEquals(refused.problems, [
      `listeners "l0": Cannot listen on 127.0.0.1:80: ${because}`,
      `listeners "l1": Cannot listen on [::1]:91: ${because}`,
      `listeners "l2": Cannot listen on unix:/run/x~y.sock: ${because}`,
    ]);
    // What was free was given back.
    const third = locks(33);
    await take(third, "127.0.0.1:81");
    await third.release();
    await first.release();
    await take(second, "127.0.0.1:80", "[::1]:91", "unix:/run/x~y.sock");
    await second.release();
  }));

Deno.test("ListenerLocks – who listens on all addresses has a port alone", () =>
  onStage(async ({ locks }) => {
    for (
      const [one, other] of [
        ["0.0.0.0:80", "127.0.0.1:80"],
        ["127.0.0.1:80", "0.0.0.0:80"],
        ["[::]:80", "127.0.0.1:80"],
      ] as const
    ) {
      const first = locks(11);
      await take(first, one);
      await assertRejects(
        () => take(locks(22), other),
        RefusedError,
        `Cannot listen on ${other}: the Headrace with process id 11`,
      );
      // Not from itself: a reload may go from the one to the other.
      await take(first, other);
      await first.release();
    }
    const first = locks(11);
    await take(first, "127.0.0.1:80");
    const second = locks(22);
    await take(second, "127.0.0.2:80", "0.0.0.0:8080");
    await first.release();
    await second.release();
  }));

Deno.test("ListenerLocks – a reload keeps what stays, and lets go of what it leaves", () =>
  onStage(async ({ locks, folder }) => {
    const [first, second] = [locks(11), locks(22)];
    await take(first, "127.0.0.1:80", "127.0.0.1:81");
    await take(first, "127.0.0.1:81", "127.0.0.1:82");
    await take(second, "127.0.0.1:80");
    await assertRejects(() => take(second, "127.0.0.1:81"), RefusedError);
    // A reload that is refused changes nothing.
    await assertRejects(
      () => take(first, "127.0.0.1:80", "127.0.0.1:83"),
      RefusedError,
    );
    await first.discard(await first.prepare(listeners("127.0.0.1:84")));
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "80@127.0.0.1.lock",
      "81@127.0.0.1.lock",
      "82@127.0.0.1.lock",
    ]);
    await first.release();
    await second.release();
  }));

Deno.test("ListenerLocks – of those who hand over addresses are shared, then taken", () =>
  onStage(async ({ locks, folder }) => {
    const old = locks(11);
    await take(old, "127.0.0.1:80", "unix:/run/x.sock");
    const wanted = listeners("127.0.0.1:80", "unix:/run/x.sock");
    assertEquals(await holdersOf(folder, wanted), [{
      pid: 11,
      control: "/11",
    }]);
    const fresh = locks(22, [11]);
    const prepared = await fresh.prepare(wanted);
    assertEquals(prepared.ports, {
      "127.0.0.1:80 1": 80,
      "unix:/run/x.sock": 0,
    });
    await fresh.commit(prepared);
    await assertRejects(
      () => take(locks(33), "127.0.0.1:80"),
      RefusedError,
      "process id 11",
    );
    await fresh.takeOver();
    await old.release();
    await assertRejects(
      () => take(locks(33), "127.0.0.1:80"),
      RefusedError,
      "process id 22",
    );
    await fresh.release();
    assertEquals(await holdersOf(folder, wanted), []);
  }));

Deno.test("ListenerLocks – a port that the system chooses needs none", () =>
  onStage(async ({ locks, folder }) => {
    await take(locks(11), "127.0.0.1:0");
    await take(locks(22), "127.0.0.1:0");
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("ListenerLocks – without a folder it says so and goes on", () =>
  onStage(async ({ folder, logged }) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const locks = new ListenerLocks({
      folder: `${folder}/file/run`,
      holder: { pid: 11, control: "/11" },
      from: new Set(),
      log: createLog({ write: (line) => logged.push(line) }),
    });
    await take(locks, "127.0.0.1:80");
    await take(locks, "127.0.0.1:81");
    await locks.takeOver();
    await locks.release();
    assertEquals(
      logged.filter((line) => line.includes("Addresses are not locked")).length,
      1,
    );
  }));

Deno.test("ListenerLocks – a folder that somebody removed is made again", () =>
  onStage(async ({ folder, locks }) => {
    const [first, second] = [locks(11), locks(22)];
    await take(first, "127.0.0.1:80");
    await Deno.remove(folder, { recursive: true });
    await take(first, "127.0.0.1:80", "127.0.0.1:81");
    await assertRejects(() => take(second, "127.0.0.1:81"), RefusedError);
    await first.release();
  }));

Deno.test("ListenerLocks – where one can't be had for lack of a file those before it are given back", () =>
  onStage(async ({ folder, locks }) => {
    const [first, second] = [locks(11), locks(22)];
    await Deno.mkdir(`${folder}/82@127.0.0.1.lock`);
    // Nothing can be written there.
    await Deno.symlink("/dev/full", `${folder}/83@127.0.0.1.lock`);
    for (const address of ["127.0.0.1:82", "127.0.0.1:83"]) {
      await assertRejects(() => take(first, "127.0.0.1:81", address));
    }
    await Deno.remove(`${folder}/82@127.0.0.1.lock`);
    await take(first, "127.0.0.1:82");
    await take(second, "127.0.0.1:81");
    await first.release();
    await second.release();
  }));

Deno.test("ListenerLocks – one that can't be put in the place of the old one's leaves nothing behind", () =>
  onStage(async ({ folder, locks }) => {
    const [old, fresh] = [locks(11), locks(22, [11])];
    const path = `${folder}/80@127.0.0.1.lock`;
    await take(old, "127.0.0.1:80");
    await take(fresh, "127.0.0.1:80");
    await Deno.rename(path, `${folder}/away`);
    await Deno.mkdir(path);
    await assertRejects(() => fresh.takeOver());
    await Deno.remove(path);
    await Deno.rename(`${folder}/away`, path);
    assertEquals([...Deno.readDirSync(folder)].length, 1);
    await fresh.takeOver();
    await old.release();
    await fresh.release();
  }));

Deno.test("ListenerLocks – one that can't be removed is held no more, and told of", () =>
  onStage(async ({ folder, locks, logged }) => {
    const [first, second] = [locks(11), locks(22)];
    await take(first, "127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:82");
    const away = `${folder}.away`;
    await Deno.rename(folder, away);
    await Deno.writeTextFile(folder, "");
    await take(first, "127.0.0.1:80");
    await first.release();
    assertEquals(logged.length, 3);
    await Deno.remove(folder);
    await Deno.rename(away, folder);
    await take(second, "127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:82");
    await second.release();
  }));

Deno.test("ListenerLocks – one that can't be taken back does not keep the others", () =>
  onStage(async ({ folder, locks, logged }) => {
    const [old, fresh, third] = [locks(11), locks(22, [11]), locks(33)];
    await take(old, "127.0.0.1:80", "127.0.0.1:81");
    await take(fresh, "127.0.0.1:80", "127.0.0.1:81");
    await fresh.takeOver();
    await fresh.release();
    await Deno.mkdir(`${folder}/80@127.0.0.1.lock`);
    assertEquals([await old.takeBack(), logged.length], [true, 1]);
    await assertRejects(() => take(third, "127.0.0.1:81"), RefusedError);
    await Deno.remove(`${folder}/80@127.0.0.1.lock`);
    assertEquals(await old.takeBack(), true);
    await assertRejects(() => take(third, "127.0.0.1:80"), RefusedError);
    await old.release();
  }));

Deno.test("ListenerLocks – what a process took over that is gone is taken back, but not from one that lives", () =>
  onStage(async ({ locks, logged }) => {
    const [old, fresh] = [locks(11), locks(22, [11])];
    await take(old, "127.0.0.1:80", "127.0.0.1:81");
    await take(fresh, "127.0.0.1:80");
    await fresh.takeOver();
    await old.takeBack();
    assertEquals(logged.length, 1);
    await assertRejects(
      () => take(locks(33), "127.0.0.1:80"),
      RefusedError,
      "process id 22",
    );
    await fresh.release();
    await old.takeBack();
    assertEquals(logged.length, 1);
    await assertRejects(
      () => take(locks(33), "127.0.0.1:80", "127.0.0.1:81"),
      RefusedError,
      "process id 11",
    );
    await old.release();
    await take(fresh, "127.0.0.1:80", "127.0.0.1:81");
    await fresh.release();
  }));
