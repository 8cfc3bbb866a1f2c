/** The WebSocket load's harness: it finds what a relay does wrong, and nothing in what the proxy does. */
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { type Faults, serveFaultyRelay } from "../support/faulty_relay.ts";
import { LOAD_SIZE, serveLoad } from "../support/load_backend.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { BackendFarm } from "../../scripts/websocket_load/backend_process.ts";
import { countMessages } from "../../scripts/websocket_load/counts.ts";
import type { FailoverRow } from "../../scripts/websocket_load/failover_rows.ts";
import { NotThereError } from "../../scripts/websocket_load/proxy_process.ts";
import { RecordBook } from "../../scripts/websocket_load/record_book.ts";
import type { BackendRecord } from "../../scripts/websocket_load/records.ts";
import { REHEARSAL, rehearse } from "../../scripts/websocket_load/rehearsal.ts";
import { runFailover } from "../../scripts/websocket_load/run_failover.ts";
import { runTraffic } from "../../scripts/websocket_load/traffic.ts";

/** Nothing is wrong. */
const CLEAN = {
  upLost: 0,
  upDuplicated: 0,
  upReordered: 0,
  downLost: 0,
  downDuplicated: 0,
  downReordered: 0,
  unanswered: 0,
  closed: [],
};

Deno.test("websocket load: 4 sessions through the proxy lose nothing", async () => {
  const book = new RecordBook();
  await using a = await serveLoad({ book, number: 1 });
  await using b = await serveLoad({ book, number: 2 });
  await using proxy = await startProxyWith({ backends: [a.url, b.url] });
  const evidence = await runTraffic({
    port: proxy.port(),
    sessions: 4,
    rate: 100,
    size: LOAD_SIZE,
    seconds: 1,
    book,
  });
  assertEquals(countMessages(evidence), { ...CLEAN, sent: 400, pushed: 400 });
  const backends = evidence.connections.map(({ backend }) => backend);
  assertEquals(backends.sort(), [1, 1, 2, 2]);
});

/** The nth message of one direction, in every session. */
function nth(
  direction: "up" | "down",
  n: number,
  fault: ReturnType<Faults>,
): Faults {
  return (way, count) => way === direction && count === n ? fault : undefined;
}

/** Two sessions of 20 messages through such a relay. */
async function countThrough(faults: Faults) {
  const book = new RecordBook();
  await using backend = await serveLoad({ book });
  await using relay = serveFaultyRelay(backend.port, faults);
  const evidence = await runTraffic({
    port: relay.port,
    sessions: 2,
    rate: 200,
    size: LOAD_SIZE,
    seconds: 0.1,
    book,
    quiet: 800,
  });
  return { evidence, counts: countMessages(evidence) };
}

Deno.test("websocket load: a good relay loses nothing", async () => {
  const { counts } = await countThrough(() => undefined);
  assertEquals(counts, { ...CLEAN, sent: 40, pushed: 40 });
});

Deno.test("websocket load: a relay that drops the 7th message of each client is found out", async () => {
  const { counts, evidence } = await countThrough(nth("up", 7, "drop"));
  assertEquals(counts, { ...CLEAN, sent: 40, pushed: 38, upLost: 2 });
  for (const { received } of evidence.connections) {
    const numbers = received.map(({ number }) => number);
    assertEquals(numbers, [1, 2, 3, 4, 5, 6, ...numbers.slice(6)]);
    assertEquals(numbers[6], 8);
  }
});

for (
  const [what, faults, found] of [
    ["drops an answer", nth("down", 7, "drop"), { downLost: 2 }],
    ["damages a message", nth("up", 7, "damage"), { upLost: 2, pushed: 38 }],
    ["damages an answer", nth("down", 7, "damage"), { downLost: 2 }],
    [
      "sends a message twice",
      nth("up", 7, "twice"),
      { upDuplicated: 2, pushed: 42 },
    ],
    ["sends an answer twice", nth("down", 7, "twice"), { downDuplicated: 2 }],
    ["swaps messages", nth("up", 7, "late"), { upReordered: 2 }],
    ["swaps answers", nth("down", 7, "late"), { downReordered: 2 }],
  ] as const
) {
  Deno.test(`websocket load: a relay that ${what} is found out`, async () => {
    const { counts } = await countThrough(faults);
    assertEquals(counts, { ...CLEAN, sent: 40, pushed: 40, ...found });
  });
}

Deno.test("websocket load: pushes and thoughts are counted to the last", async () => {
  const book = new RecordBook();
  await using load = await serveLoad({ book, pushes: 100, think: 20 });
  const evidence = await runTraffic({
    port: load.port,
    sessions: 2,
    rate: 100,
    size: LOAD_SIZE,
    seconds: 0.3,
    book,
    calm: () => Promise.resolve(load.backend.calm()),
  });
  const { pushed, ...counts } = countMessages(evidence);
  assertEquals(counts, { ...CLEAN, sent: 60 });
  assert(pushed > 60);
});

Deno.test("websocket load: a Close and a reset of the backend end sessions with their codes", async () => {
  for (const [end, code] of [["closeAll", 1012], ["resetAll", 1006]] as const) {
    const book = new RecordBook();
    await using load = await serveLoad({ book });
    const evidence = await runTraffic(
      {
        port: load.port,
        sessions: 2,
        rate: 500,
        size: LOAD_SIZE,
        seconds: 0.1,
        book,
      },
      () => Promise.resolve(load.backend[end](1012)),
    );
    const counts = countMessages(evidence);
    assertEquals(counts.closed, [code, code]);
    assertEquals(counts.downLost, 0);
  }
});

Deno.test("websocket load: a process tells when it is gone, and listens a second time", async () => {
  await using farm = new BackendFarm(
    { size: LOAD_SIZE, think: 0, pushes: 0, echo: false },
    () => {},
  );
  const process = await farm.start();
  await process.listen();
  const first = process.port;
  await process.listen();
  assertNotEquals(process.port, first);
  await rehearse(process.port, LOAD_SIZE);
  assertEquals(process.goneAt, undefined);
  const before = performance.now();
  await process.kill();
  await eventually("its end", () => process.goneAt !== undefined);
  assert(process.goneAt! >= before);
});

Deno.test("websocket load: a rehearsal through the proxy leaves no record behind", async () => {
  const taken: BackendRecord[] = [];
  await using farm = new BackendFarm(
    { size: LOAD_SIZE, think: 0, pushes: 0, echo: false },
    (record) => taken.push(record),
  );
  const process = await farm.start();
  await process.listen();
  await using proxy = await startProxyWith({
    backends: [`http://127.0.0.1:${process.port}`],
  });
  await rehearse(proxy.port(), LOAD_SIZE);
  assert(taken.length > 1_000);
  assert(taken.every(({ session }) => session === REHEARSAL));
});

Deno.test("websocket load: a SIGKILL takes no record back", async () => {
  const book = new RecordBook();
  await using farm = new BackendFarm(
    { size: LOAD_SIZE, think: 0, pushes: 0, echo: false },
    (record) => book.add(record),
  );
  const process = await farm.start();
  await process.listen();
  const { clients, connections } = await runTraffic(
    {
      port: process.port,
      sessions: 4,
      rate: 500,
      size: LOAD_SIZE,
      seconds: 0.2,
      book,
    },
    async () => {
      await eventually(
        "messages of each connection",
        () => book.connections.every(({ written }) => written > 10),
      );
      await process.kill();
    },
  );
  for (const { session, delivered, ended } of clients) {
    const own = connections.find((each) => each.session === session)!;
    assertEquals(ended?.code, 1006);
    assert(delivered.length > 10);
    const received = new Set(own.received.map(({ number }) => number));
    for (const { number, answers } of delivered) {
      assert(received.has(answers), `${answers} was answered unrecorded`);
      assertEquals(own.sent[number - 1], answers);
    }
  }
});

Deno.test("websocket load: a row whose route the proxy has not is not run", async () => {
  const row: FailoverRow = {
    name: "nothing",
    does: "nothing",
    kind: "planned",
    trigger: ({ proxy }) => proxy.admin("POST", "/no/such/route"),
  };
  await assertRejects(
    () => runFailover(row, { seconds: 0.2, mode: undefined }),
    NotThereError,
    "POST /no/such/route answers 404",
  );
});

Deno.test("websocket load: unknown rows are refused with 2", async () => {
  const script = new URL("../../scripts/websocket_load.ts", import.meta.url);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script.href, "--rows", "kill,nonsense"],
  }).output();
  assertEquals(code, 2);
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    'or idle, found "nonsense"',
  );
});
