import fc from "fast-check";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { ProxySession } from "../../../core/websocket/proxy_session.ts";
import { DialRefusal } from "../../../core/websocket/redial.ts";
import type {
  DialRequest,
  MoveReason,
  SessionSettings,
} from "../../../core/websocket/session_owner.ts";
import { createTurnstiles } from "../../../core/websocket/turnstile.ts";
import type { Dialled } from "../../../core/websocket/backend_side.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeLink } from "../../support/fake_link.ts";

const SETTINGS: SessionSettings = {
  hold: 10_000,
  replay: 1 << 20,
  drain: 10_000,
  pongTimeout: 10_000,
  abnormalCodes: new Set([1001, 1005, 1006, 1011, 1012, 1013]),
  idle: 3_600_000,
};

/** A session between fake links; dials are answered by the test. */
function stage(
  settings: Partial<SessionSettings> = {},
  clock = new FakeClock(),
  turnstiles = createTurnstiles(clock),
) {
  const client = new FakeLink();
  const first = new FakeLink();
  const dials: (DialRequest & PromiseWithResolvers<Dialled>)[] = [];
  const moves: [string, string, MoveReason][] = [];
  const replayed: number[] = [];
  /** Bytes of messages as they were counted, by backend and direction. */
  const sizes: Record<string, number[]> = {};
  const sizesOf = (id: string) => {
    const counter = (direction: string) => ({
      observe: (bytes: number) =>
        void (sizes[`${direction} ${id}`] ??= []).push(bytes),
    });
    return { toBackend: counter("to"), fromBackend: counter("from") };
  };
  /** The state at each call. */
  const settled: string[] = [];
  const session = new ProxySession({
    client,
    backend: { link: first, backendId: "b0" },
    settings: { ...SETTINGS, ...settings },
    buffers: new Buffers(),
    clock,
    deadlines: new Deadlines(clock),
    turnstiles,
    owner: {
      dial(request) {
        const answer = Promise.withResolvers<Dialled>();
        dials.push({ ...request, ...answer });
        return answer.promise;
      },
      transmit: undefined,
      receive: undefined,
      moved: (from, to, why) => moves.push([from.backendId, to.backendId, why]),
      sizes: sizesOf,
      settled: () => settled.push(session.state),
      replayed: (count) => replayed.push(count),
      gap: () => {},
    },
  });
  let over = false;
  session.done.then(() => over = true);
  session.start();
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return {
    clock,
    client,
    first,
    dials,
    moves,
    replayed,
    sizes,
    settled,
    session,
    settle,
    isOver: () => over,
    /** The last dial that is waited for brings a new link. */
    async connects(backendId = "b1"): Promise<FakeLink> {
      const link = new FakeLink();
      dials.at(-1)!.resolve({ link, backendId });
      await settle();
      return link;
    },
    async refuses(declined = false): Promise<void> {
      dials.at(-1)!.reject(new DialRefusal("no", { declined }));
      await settle();
    },
    async ends(link: FakeLink, code = 1006, reason = ""): Promise<void> {
      link.end({ code, reason });
      await settle();
    },
  };
}

type Stage = ReturnType<typeof stage>;

/** Client and backend part well. */
async function part(s: Stage, backend: FakeLink): Promise<void> {
  await s.ends(s.client, 1000);
  backend.answerClose();
  await s.settle();
  assert(s.isOver());
  assertEquals(s.clock.pending, 0);
}

Deno.test("ProxySession: passes messages both ways, and a client's Close with its code and reason", async () => {
  const s = stage();
  s.client.say("a", "b");
  s.first.readSome();
  s.first.say("c");
  assertEquals([s.first.read, s.client.inbox], [["a", "b"], ["c"]]);
  await s.ends(s.client, 4000, "bye");
  assertEquals(s.first.closed, { code: 4000, reason: "bye" });
  assert(!s.isOver());
  s.first.answerClose();
  assertEquals(await s.session.done, {
    code: 4000,
    reason: "bye",
    error: undefined,
  });
  assertEquals(s.clock.pending, 0);
});

Deno.test("ProxySession: a backend's normal Close is the client's, with its code and reason", async () => {
  for (const code of [1000, 1003, 1008, 3000, 4999]) {
    const s = stage();
    await s.ends(s.first, code, "why");
    assertEquals(s.client.closed, { code, reason: "why" });
    s.client.answerClose();
    assertEquals((await s.session.done).code, code);
    assertEquals(s.dials, []);
  }
});

Deno.test("ProxySession: what a dead backend is not known to have read goes to the next one first, in order", async () => {
  const s = stage();
  s.client.say("1", "2");
  s.clock.advance(200);
  s.first.readSome();
  s.client.say("3", "4");
  s.first.readSome(1);
  await s.ends(s.first);
  assertEquals([s.session.state, s.dials[0]!.leaving, s.dials[0]!.replayed], [
    "dialling",
    "b0",
    2,
  ]);
  s.client.say("5");
  const next = await s.connects();
  s.client.say("6");
  next.readSome();
  assertEquals(next.read, ["3", "4", "5", "6"]);
  assertEquals([s.session.state, s.replayed, s.moves], ["open", [2], [[
    "b0",
    "b1",
    "lost",
  ]]]);
  await part(s, next);
});

Deno.test("ProxySession: without replay a message is sent at most once, and what came meanwhile is sent", async () => {
  const s = stage({ replay: undefined });
  s.client.say("1");
  await s.ends(s.first);
  assertEquals(s.dials[0]!.replayed, 0);
  s.client.say("2");
  const next = await s.connects();
  s.client.say("3");
  next.readSome();
  assertEquals(next.read, ["2", "3"]);
  await part(s, next);
});

Deno.test("ProxySession: half a message is no reason for a fence, the whole one is", async () => {
  const s = stage();
  s.client.say();
  await s.settle();
  assertEquals(s.first.inbox, []);
  s.client.say("1");
  await s.settle();
  assertEquals(s.first.inbox.length, 2);
  assertEquals(s.first.inbox[0], "1");
  s.first.readSome();
  await s.settle();
  await part(s, s.first);
});

Deno.test("ProxySession: a full log holds the client back until a fence is answered", async () => {
  const s = stage({ replay: 20 });
  assertEquals(s.client.say("0123456789"), undefined);
  const waiting = s.client.say("0123456789");
  assert(waiting !== undefined);
  let released = false;
  waiting.then(() => released = true);
  await s.settle();
  assert(!released);
  s.first.readSome();
  await s.settle();
  assert(released);
  await part(s, s.first);
});

Deno.test("ProxySession: all abnormal codes fail over, each with its reason", async () => {
  const cases: [number, MoveReason][] = [
    [1001, "closed"],
    [1005, "closed"],
    [1006, "lost"],
    [1011, "closed"],
    [1012, "closed"],
    [1013, "closed"],
  ];
  for (const [code, reason] of cases) {
    const s = stage();
    await s.ends(s.first, code);
    const next = await s.connects();
    assertEquals(s.moves, [["b0", "b1", reason]]);
    await part(s, next);
  }
});

Deno.test("ProxySession: holds the client, tries again with pauses, then closes with 1013", async () => {
  const s = stage({ hold: 1_000 });
  await s.ends(s.first);
  await s.refuses();
  assertEquals(s.session.state, "holding");
  let tries = 1;
  while (s.session.state !== "closed") {
    s.clock.advance(50);
    await s.settle();
    if (s.dials.length > tries) {
      tries = s.dials.length;
      // The backend that was left may be the one that is back.
      assertEquals(s.dials.at(-1)!.leaving, undefined);
      await s.refuses();
    }
  }
  assert(tries >= 4 && tries <= 10, `${tries} tries`);
  assertEquals(s.client.closed?.code, 1013);
  s.client.answerClose();
  await s.settle();
  assert(s.isOver());
  assertEquals(s.clock.pending, 0);
});

Deno.test("ProxySession: a hold ends at once when a backend is back", async () => {
  const s = stage();
  await s.ends(s.first);
  await s.refuses();
  s.session.retry();
  await s.settle();
  assertEquals(s.dials.length, 2);
  await part(s, await s.connects("b0"));
});

Deno.test("ProxySession: backends that take the session and drop it are asked with pauses, up to the hold", async () => {
  const s = stage({ hold: 5_000 });
  let link = s.first;
  for (let i = 0; i < 1_000 && s.client.closed === undefined; i++) {
    const before = s.dials.length;
    await s.ends(link, 1011);
    for (let waited = 0; waited < 3_000; waited += 10) {
      if (s.dials.length > before || s.client.closed !== undefined) break;
      s.clock.advance(10);
      await s.settle();
    }
    if (s.dials.length > before) link = await s.connects(`b${i % 2}`);
  }
  assertEquals(s.client.closed?.code, 1013);
  assert(s.dials.length > 3 && s.dials.length < 20, `${s.dials.length} dials`);
  s.client.answerClose();
  await s.settle();
  assert(s.isOver());
  assertEquals(s.clock.pending, 0);
});

Deno.test("ProxySession: one that was there for a while and is lost is replaced at once, again and again", async () => {
  const s = stage();
  let link = s.first;
  for (let i = 0; i < 20; i++) {
    await s.ends(link, 1011);
    assertEquals(s.dials.length, i + 1);
    link = await s.connects(`b${i % 2}`);
    s.clock.advance(1_000);
  }
  await part(s, link);
});

Deno.test("ProxySession: a backend that declines ends the session with 1008", async () => {
  const s = stage();
  await s.ends(s.first);
  await s.refuses(true);
  assertEquals(s.client.closed, { code: 1008, reason: "no" });
  s.client.answerClose();
  await s.settle();
  assert(s.isOver());
});

Deno.test("ProxySession: each message is counted once by its size, under the backend that it went to first", async () => {
  const s = stage();
  s.client.say("1", "22");
  s.first.say("4444");
  await s.ends(s.first);
  s.client.say("333");
  const next = await s.connects();
  next.readSome();
  assertEquals(next.read, ["1", "22", "333"]);
  next.say("55555", "666666");
  s.client.say("7777777");
  await s.settle();
  assertEquals(s.sizes, {
    "to b0": [1, 2],
    "from b0": [4],
    "to b1": [3, 7],
    "from b1": [5, 6],
  });
  await part(s, next);
});

Deno.test("ProxySession: tells when it can be moved again", async () => {
  const s = stage();
  s.session.move("admin", { must: false });
  const next = await s.connects();
  assertEquals([s.session.state, s.settled], ["draining", []]);
  assert(!s.session.move("drain", { must: true }));
  s.first.readSome();
  s.clock.advance(500);
  s.first.answerClose();
  await s.settle();
  assertEquals(s.settled, ["open"]);
  await s.ends(next);
  assertEquals(s.settled, ["open"]);
  const last = await s.connects("b2");
  assertEquals(s.settled, ["open", "open"]);
  assert(s.session.move("drain", { must: false }));
  await s.refuses();
  await part(s, last);
});

Deno.test("ProxySession: a client that leaves ends a dial, and the connection that still comes", async () => {
  const s = stage();
  await s.ends(s.first);
  await s.ends(s.client, 1001);
  assert(s.dials[0]!.signal.aborted);
  assert(s.isOver());
  const late = await s.connects();
  assert(late.aborted !== undefined);
  assertEquals(s.clock.pending, 0);
});

Deno.test("ProxySession: a planned move stands before the old backend is given up, and loses nothing", async () => {
  const s = stage();
  s.client.say("1", "2");
  assert(s.session.move("admin", { must: false }));
  assert(!s.session.move("admin", { must: false }));
  s.client.say("3");
  assertEquals(s.session.state, "open");
  const next = await s.connects();
  assertEquals(s.session.state, "draining");
  // Nobody knows yet whether the old one has read its messages.
  s.client.say("4");
  assertEquals(next.inbox, []);
  next.say("from the new one");
  s.first.readSome();
  assertEquals(s.first.read, ["1", "2", "3"]);
  assertEquals(next.inbox.filter((m) => typeof m === "string"), ["4"]);
  // It owes three answers.
  s.clock.advance(20);
  s.first.say("A1", "A2");
  s.clock.advance(20);
  assertEquals(s.first.closed, undefined);
  s.first.say("A3");
  s.clock.advance(500);
  assertEquals(s.first.closed, undefined, "it may have been stopped");
  s.first.readSome();
  assertEquals(s.first.closed?.code, 1000);
  assertEquals(s.client.inbox, ["A1", "A2", "A3"]);
  s.first.answerClose();
  await s.settle();
  assertEquals(s.client.inbox, ["A1", "A2", "A3", "from the new one"]);
  assertEquals([s.session.state, s.replayed], ["open", []]);
  await part(s, next);
});

Deno.test("ProxySession: a session that is closed within a planned move listens to both backends once", async () => {
  const s = stage();
  assert(s.session.move("drain", { must: true }));
  const next = await s.connects();
  assertEquals(s.session.state, "draining");
  s.session.close(1001, "bye");
  assertEquals([s.first.closed?.code, next.closed?.code], [1001, 1001]);
  s.client.answerClose();
  await s.settle();
  next.answerClose();
  await s.settle();
  assert(!s.isOver());
  s.first.answerClose();
  await s.settle();
  assert(s.isOver());
  assertEquals(s.clock.pending, 0);
});

Deno.test("ProxySession: a backend that answers at once is left within milliseconds", async () => {
  const s = stage();
  for (let i = 0; i < 10; i++) {
    s.client.say(`${i}`);
    s.clock.advance(1);
    s.first.readSome();
    s.first.say(`${i}`);
  }
  s.session.move("admin", { must: false });
  const next = await s.connects();
  s.first.readSome();
  s.clock.advance(10);
  assertEquals(s.first.closed?.code, 1000);
  s.first.answerClose();
  await s.settle();
  await part(s, next);
});

Deno.test("ProxySession: what a backend says unasked is taken for no answer when it is left", async () => {
  const s = stage();
  s.first.say("push");
  for (let i = 0; i < 10; i++) {
    s.client.say(`${i}`);
    s.first.readSome();
    s.clock.advance(20);
    s.first.say(`A${i}`);
  }
  s.client.say("last");
  s.session.move("admin", { must: false });
  const next = await s.connects();
  s.first.readSome();
  // In number it owes nothing.
  s.first.say("push");
  s.clock.advance(150);
  assertEquals(s.first.closed, undefined);
  s.first.say("push");
  s.clock.advance(60);
  assertEquals(s.first.closed, undefined, "it may have been stopped");
  s.first.say("the last answer");
  s.first.readSome();
  assertEquals(s.first.closed?.code, 1000);
  assertEquals(s.client.inbox.at(-1), "the last answer");
  s.first.answerClose();
  await s.settle();
  await part(s, next);
});

Deno.test("ProxySession: one that was stalled before it is left is not waited for", async () => {
  const s = stage();
  s.client.say("1");
  s.clock.advance(1_500);
  s.session.move("admin", { must: false });
  const next = await s.connects();
  assert(s.first.aborted !== undefined, "at once, without a timer");
  next.readSome();
  assertEquals([next.read, s.replayed], [["1"], [1]]);
  await part(s, next);
});

Deno.test("ProxySession: a backend is not stalled by what the event loop stood still for", async () => {
  let busy = 0;
  const s = stage(
    {},
    new class extends FakeClock {
      override now(): number {
        return super.now() + busy;
      }
    }(),
  );
  s.client.say("1");
  s.clock.advance(100);
  // A reload, say: nobody was heard in that time.
  busy = 3_000;
  s.session.move("admin", { must: true });
  const next = await s.connects();
  assertEquals(s.first.aborted, undefined);
  s.first.say("answer");
  s.first.readSome();
  // It seems to take its time for answers.
  s.clock.advance(7_000);
  s.first.readSome();
  assertEquals(s.first.closed?.code, 1000);
  s.first.answerClose();
  await s.settle();
  assertEquals([s.replayed, s.client.inbox], [[], ["answer"]]);
  await part(s, next);
});

Deno.test("ProxySession: a stalled backend is left after a second, and what it has not read goes on", async () => {
  const s = stage();
  s.client.say("1", "2");
  s.session.move("admin", { must: false });
  const next = await s.connects();
  s.client.say("3");
  s.clock.advance(1_100);
  await s.settle();
  assert(s.first.aborted !== undefined);
  next.readSome();
  assertEquals(next.read, ["1", "2", "3"]);
  assertEquals(s.replayed, [2]);
  await part(s, next);
});

Deno.test("ProxySession: one that never falls silent is left when the drain is over", async () => {
  const s = stage({ drain: 3_000 });
  s.client.say("1");
  s.session.move("admin", { must: false });
  const next = await s.connects();
  s.first.readSome();
  s.client.say("2");
  for (let i = 0; i < 40 && s.first.aborted === undefined; i++) {
    s.clock.advance(100);
    if (i === 0) continue;
    // It owes an answer all the time, as its client's messages outnumber them.
    if (s.first.closed !== undefined) break;
  }
  assert(s.first.closed !== undefined || s.first.aborted !== undefined);
  s.first.end();
  await s.settle();
  assertEquals(s.session.state, "open");
  await part(s, next);
});

Deno.test("ProxySession: stays where a planned move finds no other backend", async () => {
  const s = stage();
  s.session.move("admin", { must: false });
  await s.refuses();
  assertEquals([s.session.state, s.client.closed], ["open", undefined]);
  s.client.say("1");
  s.first.readSome();
  assertEquals(s.first.read, ["1"]);
  await part(s, s.first);
});

Deno.test("ProxySession: a backend that is gone while a planned move is dialled is left even where that finds none", async () => {
  const s = stage();
  assert(s.session.move("admin", { must: false }));
  // Nothing else tells of it: it is not asked about again while it stays.
  assert(!s.session.move("drain", { must: true }));
  await s.refuses();
  assertEquals(s.dials.map(({ leaving }) => leaving), ["b0", "b0"]);
  await s.refuses();
  s.clock.advance(100);
  await s.settle();
  const next = await s.connects();
  assertEquals(s.moves, [["b0", "b1", "drain"]]);
  s.first.readSome();
  s.clock.advance(500);
  s.first.answerClose();
  await s.settle();
  assert(s.session.move("admin", { must: false }));
  await s.refuses();
  assertEquals([s.session.state, s.dials.length], ["open", 4]);
  await part(s, next);
});

Deno.test("ProxySession: a backend that is deleted is left, also where the session was on its way there", async () => {
  const s = stage();
  const first = s.first;
  s.session.leaveDeleted("b9");
  assertEquals(s.dials.length, 0);
  s.session.leaveDeleted("b0");
  // While it is dialled, then while the old one finishes.
  s.session.leaveDeleted("b1");
  const b1 = await s.connects("b1");
  s.clock.advance(500);
  first.answerClose();
  await s.settle();
  const b2 = await s.connects("b2");
  assertEquals(s.session.state, "draining");
  s.session.leaveDeleted("b2");
  s.clock.advance(500);
  b1.answerClose();
  await s.settle();
  assertEquals(s.dials.map(({ leaving }) => leaving), ["b0", "b1", "b2"]);
  // And while one is looked for that takes a lost one's place.
  await s.ends(b2);
  s.session.leaveDeleted("b3");
  const b3 = await s.connects("b3");
  assertEquals(s.dials.length, 5);
  const b4 = await s.connects("b4");
  s.clock.advance(500);
  b3.answerClose();
  await s.settle();
  assertEquals([s.session.state, s.dials.length], ["open", 5]);
  // What was deleted once may be back.
  assert(s.session.move("admin", { must: false }));
  const b3Again = await s.connects("b3");
  s.clock.advance(500);
  b4.answerClose();
  await s.settle();
  assertEquals([s.session.state, s.dials.length], ["open", 6]);
  await part(s, b3Again);
});

Deno.test("ProxySession: the backend dies while a planned move is dialled: a new dial says what is replayed", async () => {
  const s = stage();
  s.session.move("admin", { must: false });
  s.client.say("1");
  await s.ends(s.first);
  assert(s.dials[0]!.signal.aborted);
  assertEquals([s.dials.length, s.dials[1]!.replayed], [2, 1]);
  const next = await s.connects();
  next.readSome();
  assertEquals(next.read, ["1"]);
  await part(s, next);
});

Deno.test("ProxySession: a fence that is not answered in time means that the backend is dead", async () => {
  const s = stage();
  s.client.say("1");
  s.clock.advance(10_500);
  await s.settle();
  assertEquals(s.first.aborted?.code, "backend_silent");
  const next = await s.connects();
  next.readSome();
  assertEquals([next.read, s.moves[0]![2]], [["1"], "silent"]);
  await part(s, next);
});

Deno.test("ProxySession: a slow client is no fault of its backend", async () => {
  const s = stage();
  s.client.say("1");
  s.first.listening = false;
  s.clock.advance(60_000);
  await s.settle();
  assertEquals(s.first.aborted, undefined);
  await part(s, s.first);
});

Deno.test("ProxySession: ends without a message for the idle time", async () => {
  const s = stage({ idle: 5_000 });
  s.clock.advance(5_300);
  assertEquals([s.client.closed, s.first.closed], [
    { code: 1001, reason: "idle" },
    { code: 1001, reason: "idle" },
  ]);
  s.client.answerClose();
  s.first.answerClose();
  await s.settle();
  assert(s.isOver());
});

/** What may happen to a session, in any order. */
const event = fc.oneof(
  { weight: 6, arbitrary: fc.constant("say" as const) },
  { weight: 4, arbitrary: fc.constant("read" as const) },
  { weight: 2, arbitrary: fc.constant("answer" as const) },
  { weight: 3, arbitrary: fc.constant("tick" as const) },
  fc.constant("crash" as const),
  fc.constant("restart" as const),
  fc.constant("move" as const),
  { weight: 3, arbitrary: fc.constant("connect" as const) },
  fc.constant("refuse" as const),
);

Deno.test("ProxySession: whatever happens, every message arrives, in order, twice only where it was counted", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 60 }),
      async (events) => {
        const s = stage({ hold: Infinity, idle: Infinity });
        const links = [s.first];
        let said = 0;
        let answers = 0;
        const given = new Map<FakeLink, number>();
        const current = () => links.findLast((link) => !link.over);
        const connect = async () => {
          const open = s.dials.at(-1);
          if (open === undefined || open.signal.aborted) return;
          const before = s.moves.length;
          const link = await s.connects(`b${links.length}`);
          if (s.moves.length > before) links.push(link);
        };
        for (const each of events) {
          switch (each) {
            case "say":
              s.client.say(`m${said++}`);
              break;
            case "read":
              for (const link of links) link.readSome(2);
              break;
            case "answer": {
              // As a backend does: one answer for each message that it read.
              for (const link of links) {
                const count = given.get(link) ?? 0;
                if (link.over || !link.started || count >= link.read.length) {
                  continue;
                }
                given.set(link, count + 1);
                link.say(`r${answers++}`);
              }
              break;
            }
            case "tick":
              s.clock.advance(150);
              for (const link of links) {
                if (link.closed !== undefined) link.answerClose();
              }
              break;
            case "crash":
              current()?.end();
              break;
            case "restart":
              current()?.end({ code: 1012 });
              break;
            case "move":
              s.session.move("admin", { must: false });
              break;
            case "connect":
              await connect();
              break;
            case "refuse":
              if (s.dials.length > 0) await s.refuses();
              break;
          }
          await s.settle();
        }
        // In the end there is a backend that reads.
        for (let i = 0; i < 60; i++) {
          await connect();
          for (const link of links) {
            if (!link.over) link.readSome();
            if (link.closed !== undefined) link.answerClose();
          }
          s.clock.advance(500);
          await s.settle();
        }
        assertEquals(s.session.state, "open");
        // Each backend's share follows the one before, but for what is sent again.
        let next = 0;
        let again = 0;
        for (const link of links) {
          for (const message of link.read) {
            const number = Number(message.slice(1));
            assert(number <= next, `${message} came before m${next}`);
            if (number === next) next++;
            else again++;
          }
          const numbers = link.read.map((m) => Number(m.slice(1)));
          numbers.forEach((n, i) => {
            if (i > 0) assertEquals(n, numbers[i - 1]! + 1);
          });
        }
        assertEquals(next, said);
        const counted = s.replayed.reduce((sum, count) => sum + count, 0);
        assert(again <= counted, `${again} twice, ${counted} counted`);
        assertEquals(
          s.client.inbox,
          Array.from({ length: answers }, (_, i) => `r${i}`),
        );
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("ProxySession: a link that says that it failed fails over whatever its code, one that closed does not", async () => {
  const s = stage({ abnormalCodes: new Set([1012]) });
  s.first.end({ code: 1000, failed: true });
  await s.settle();
  assertEquals(s.session.state, "dialling");
  const next = await s.connects();
  await s.ends(next, 1006);
  assertEquals(s.client.closed?.code, 1006);
  s.client.answerClose();
  await s.settle();
  assert(s.isOver());
});

Deno.test("ProxySession: without replay, what a link gives back goes to the next one first", async () => {
  const s = stage({ replay: undefined });
  s.first.knowsUnread();
  s.client.say("1", "2", "3");
  s.first.readSome(1);
  await s.ends(s.first);
  s.client.say("4");
  const next = await s.connects();
  s.client.say("5");
  next.readSome();
  assertEquals(next.read, ["2", "3", "4", "5"]);
  assertEquals(s.replayed, []);
  await part(s, next);
});

Deno.test("ProxySession: with replay, what a link certainly passed on is not sent again", async () => {
  const s = stage();
  s.first.knowsUnread();
  s.client.say("1", "2", "3");
  s.first.readSome(1);
  await s.ends(s.first);
  const next = await s.connects();
  next.readSome();
  assertEquals(next.read, ["2", "3"]);
  await part(s, next);
});

Deno.test("ProxySession: a planned move without replay gives the new backend what the old one did not take", async () => {
  const s = stage({ replay: undefined });
  s.first.knowsUnread();
  s.client.say("1", "2");
  s.first.readSome(1);
  assert(s.session.move("admin", { must: true }));
  const next = await s.connects();
  s.client.say("3");
  // It is given up as stalled.
  s.clock.advance(1_000);
  await s.settle();
  assert(s.first.aborted !== undefined);
  next.readSome();
  assertEquals(next.read, ["2", "3"]);
  await part(s, next);
});

/** So many sessions of one plane. */
function stages(count: number): Stage[] {
  const clock = new FakeClock();
  const turnstiles = createTurnstiles(clock);
  return Array.from({ length: count }, () => stage({}, clock, turnstiles));
}

/** Which of them dial, by their places. */
function dialling(sessions: readonly Stage[]): number[] {
  return sessions.flatMap(({ dials }, i) => dials.length > 0 ? [i] : []);
}

Deno.test("ProxySession: of many that lose their backend at once the first have another one before the last dial", async () => {
  const sessions = stages(12);
  for (const s of sessions) s.first.end({ code: 1006, reason: "" });
  await sessions[0]!.settle();
  assertEquals(dialling(sessions), [0, 1, 2, 3, 4, 5, 6, 7]);
  sessions[0]!.client.say("a");
  const link = await sessions[0]!.connects();
  assertEquals(link.inbox[0], "a");
  assertEquals(dialling(sessions), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  await sessions[1]!.refuses();
  assertEquals(sessions[1]!.session.state, "holding");
  assertEquals(dialling(sessions), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  // Those within take long: nobody waits for them.
  sessions[0]!.clock.advance(1);
  await sessions[0]!.settle();
  assertEquals(dialling(sessions).length, 12);
});

Deno.test("ProxySession: of many that are to move a few do at a time, and one that loses its backend meanwhile does not wait for them", async () => {
  const sessions = stages(6);
  for (const { session } of sessions) {
    assert(session.move("admin", { must: false }));
  }
  assertEquals(dialling(sessions), [0, 1, 2, 3]);
  const last = sessions[5]!;
  await last.ends(last.first);
  assertEquals(dialling(sessions), [0, 1, 2, 3, 5]);
  await last.connects();
  assertEquals(last.moves, [["b0", "b1", "lost"]]);
  // Its turn as one that was to move comes, and it dials no second time.
  for (const s of sessions.slice(0, 4)) await s.connects();
  assertEquals(dialling(sessions), [0, 1, 2, 3, 4, 5]);
  assertEquals(last.dials.length, 1);
  assertEquals(last.session.state, "open");
});

Deno.test("ProxySession: those that are to leave a stalled backend do not wait for the planned moves of others", async () => {
  const sessions = stages(12);
  const stalled = sessions.slice(6);
  for (const { client } of stalled) client.say("1");
  sessions[0]!.clock.advance(1_500);
  for (const { session } of sessions) {
    assert(session.move("admin", { must: false }));
  }
  assertEquals(dialling(sessions), [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]);
  for (const s of stalled) await s.connects();
  assertEquals(
    stalled.map(({ session }) => session.state),
    Array(6).fill("open"),
  );
});

Deno.test("ProxySession: one whose client leaves before its turn dials nobody, and the next has its turn", async () => {
  const sessions = stages(10);
  for (const s of sessions) s.first.end({ code: 1006, reason: "" });
  await sessions[8]!.ends(sessions[8]!.client);
  assertEquals(await sessions[8]!.session.done.then(({ code }) => code), 1006);
  await sessions[0]!.connects();
  assertEquals(dialling(sessions), [0, 1, 2, 3, 4, 5, 6, 7, 9]);
});
