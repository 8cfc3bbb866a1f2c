/**
 * Where a backend stands, by what checks, traffic and operators say; two of the
 * same row stand for two workers.
 *
 * @module
 */
import { ProxyError } from "../../../core/errors.ts";
import type { Permit } from "../../../core/health/backend_gates.ts";
import { makeRow } from "../../../core/health/backend_row.ts";
import { Epoch } from "../../../core/health/shared_health.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import {
  type HealthFacts,
  makeHealth,
  type TestHealth,
} from "../../support/backend_health.ts";
import { FakeClock } from "../../support/clock.ts";

const REFUSED = new ProxyError("connect_refused", "Cannot connect");
const PASSIVE = {
  failures: 3,
  statuses: [[502, 504]],
  coolDown: 10_000,
} as const;
const BREAKER = { failures: 3, reset: 30_000 } as const;

/** The same backend in two workers. */
function twoWorkers(settings: HealthFacts): [TestHealth, TestHealth] {
  const shared = {
    ...settings,
    buffer: makeRow(2),
    clock: new FakeClock(),
    epoch: new Epoch(),
  };
  return [makeHealth(shared), makeHealth({ ...shared, worker: 1 })];
}

/** An attempt from begin to end. */
function attempt(
  { health }: TestHealth,
  result: (permit: Permit) => void,
): void {
  const permit = health.begin();
  assert(permit !== undefined, "the attempt may begin");
  result(permit);
  health.end(permit);
}

function fail(one: TestHealth, times: number): void {
  for (let i = 0; i < times; i++) {
    attempt(one, (permit) => one.health.failed(REFUSED, permit));
  }
}

function eligible({ health, clock }: TestHealth): boolean {
  return health.eligible(clock.wall());
}

Deno.test("BackendHealth: without gates no failure changes anything", () => {
  const one = makeHealth();
  fail(one, 1_000);
  attempt(one, (permit) => one.health.answered(503, permit));
  assertEquals([eligible(one), one.events, one.epoch.value], [true, [], 0]);
  assertEquals(one.health.lastError, {
    message: "Cannot connect",
    at: one.clock.wall(),
  });
});

Deno.test("BackendHealth: passive health ejects in all workers at once, and tells of it once", () => {
  const [one, other] = twoWorkers({ passiveHealth: PASSIVE });
  const { value } = one.epoch;
  fail(one, 2);
  assertEquals([eligible(one), eligible(other)], [true, true]);
  fail(other, 1);
  assertEquals([eligible(one), eligible(other)], [false, false]);
  assert(one.epoch.value !== value);
  assertEquals([one.told(), other.told()], [[], ["passive: closed > ejected"]]);
  assertEquals(other.events, [{
    cluster: "main",
    backend: "a",
    kind: "passive",
    from: "closed",
    to: "ejected",
    cause: "3 failures in a row, the last one: Cannot connect",
    at: one.clock.wall(),
  }]);
});

Deno.test("BackendHealth: statuses count for passive health, and not for the breaker", () => {
  const one = makeHealth({ passiveHealth: PASSIVE, breaker: BREAKER });
  for (const status of [502, 503, 504]) {
    attempt(one, (permit) => one.health.answered(status, permit));
  }
  assertEquals(one.told(), ["passive: closed > ejected"]);
  assertEquals(one.health.lastError?.message, "It answered 504");
});

Deno.test("BackendHealth: any other status is a success", () => {
  const one = makeHealth({ passiveHealth: PASSIVE });
  for (const status of [101, 200, 404, 500, 501, 505]) {
    fail(one, 2);
    attempt(one, (permit) => one.health.answered(status, permit));
  }
  assertEquals(one.events, []);
});

Deno.test("BackendHealth: failures of clients, plugins and the proxy are not the backend's", () => {
  const one = makeHealth({ passiveHealth: PASSIVE, breaker: BREAKER });
  for (
    const code of ["client_closed", "handler_error", "head_overflow"] as const
  ) {
    for (let i = 0; i < 5; i++) {
      attempt(
        one,
        (permit) => one.health.failed(new ProxyError(code, ""), permit),
      );
    }
  }
  assertEquals([one.events, one.health.lastError], [[], undefined]);
});

Deno.test("BackendHealth: after the cool-down one attempt of all workers tries it", () => {
  const [one, other] = twoWorkers({ passiveHealth: PASSIVE });
  fail(one, 3);
  assertEquals(
    one.health.changesAt(one.clock.wall()),
    one.clock.wall() + 10_000,
  );
  one.clock.advance(10_000);
  assertEquals([eligible(one), eligible(other)], [true, true]);
  const trial = other.health.begin()!;
  assertEquals([eligible(one), eligible(other)], [false, false]);
  assertEquals([one.health.begin(), other.health.begin()], [
    undefined,
    undefined,
  ]);
  other.health.succeeded(trial);
  assertEquals([eligible(one), eligible(other)], [true, true]);
  other.health.end(trial);
  assertEquals(one.told(), ["passive: closed > ejected"]);
  assertEquals(other.told(), [
    "passive: ejected > half-open",
    "passive: half-open > closed",
  ]);
});

Deno.test("BackendHealth: a failed trial ejects it again", () => {
  const one = makeHealth({ passiveHealth: PASSIVE });
  fail(one, 3);
  one.clock.advance(10_000);
  fail(one, 1);
  assertEquals(eligible(one), false);
  assertEquals(one.told(), [
    "passive: closed > ejected",
    "passive: ejected > half-open",
    "passive: half-open > ejected",
  ]);
  assertEquals(one.events.at(-1)?.cause, "The trial failed: Cannot connect");
});

Deno.test("BackendHealth: a trial that tells nothing leaves room for the next, without a word", () => {
  const [one, other] = twoWorkers({ breaker: BREAKER });
  fail(one, 3);
  one.clock.advance(30_000);
  one.told();
  const permit = one.health.begin()!;
  let { value } = one.epoch;
  one.health.end(permit);
  assert(value !== one.epoch.value, "it may be picked again");
  value = one.epoch.value;
  const trial = other.health.begin()!;
  assert(value !== one.epoch.value, "it may not be picked any more");
  other.health.succeeded(trial);
  other.health.end(trial);
  assertEquals([one.told(), other.told()], [
    ["breaker: open > half-open"],
    ["breaker: half-open > closed"],
  ]);
});

Deno.test("BackendHealth: one trial serves both gates, and both must let it through", () => {
  const one = makeHealth({ passiveHealth: PASSIVE, breaker: BREAKER });
  fail(one, 3);
  assertEquals(one.told(), [
    "passive: closed > ejected",
    "breaker: closed > open",
  ]);
  one.clock.advance(10_000);
  assertEquals([eligible(one), one.health.begin()], [false, undefined]);
  one.clock.advance(20_000);
  attempt(one, (permit) => one.health.answered(200, permit));
  assertEquals(one.told(), [
    "passive: ejected > half-open",
    "breaker: open > half-open",
    "passive: half-open > closed",
    "breaker: half-open > closed",
  ]);
});

const HANGS = [
  new ProxyError("connect_timeout", "No connection within 50 ms"),
  new ProxyError("backend_handshake_timeout", "No TLS handshake within 50 ms"),
];

for (const hang of HANGS) {
  Deno.test(`BackendHealth: without passiveHealth one ${hang.code} has it left alone for a while, in all workers`, () => {
    const [one, other] = twoWorkers({});
    assertEquals(one.health.states(one.clock.wall()).passive, undefined);
    attempt(one, (permit) => one.health.failed(hang, permit));
    assertEquals([eligible(one), eligible(other)], [false, false]);
    assertEquals(one.told(), ["passive: closed > ejected"]);
    const states = other.health.states(other.clock.wall());
    assertEquals([states.up, states.passive], [false, "ejected"]);

    one.clock.advance(10_000);
    assertEquals([eligible(one), eligible(other)], [true, true]);
    const trial = one.health.begin()!;
    assertEquals([eligible(one), eligible(other)], [false, false]);
    one.health.failed(hang, trial);
    one.health.end(trial);
    assertEquals(one.told(), [
      "passive: ejected > half-open",
      "passive: half-open > ejected",
    ]);
    one.clock.advance(10_000);
    // What answers, with whatever status, does not hang; nor does what refuses.
    attempt(one, (permit) => one.health.answered(503, permit));
    assertEquals([eligible(one), eligible(other)], [true, true]);
    attempt(one, (permit) => one.health.failed(hang, permit));
    one.clock.advance(10_000);
    attempt(other, (permit) => other.health.failed(REFUSED, permit));
    assertEquals([eligible(one), eligible(other)], [true, true]);
    assertEquals(
      one.health.states(one.clock.wall()).passive,
      undefined,
    );
  });
}

Deno.test("BackendHealth: one that is left alone for hanging serves where nobody else does", () => {
  const one = makeHealth();
  const now = () => one.clock.wall();
  attempt(one, (permit) => one.health.failed(HANGS[0]!, permit));
  assertEquals([eligible(one), one.health.standsIn(now())], [false, true]);
  // As often as it is asked, and that is no trial.
  const [first, second] = [one.health.begin()!, one.health.begin()!];
  one.health.succeeded(first);
  one.health.end(first);
  one.health.end(second);
  assertEquals([eligible(one), one.health.load], [false, 0]);

  for (
    const [stop, go] of [
      [
        () => one.health.setState("disabled", "test"),
        () => one.health.setState("ready", "test"),
      ],
      [
        () => one.health.setChecked(false, "test"),
        () => one.health.setChecked(true, "test"),
      ],
      [
        () => one.health.setWeight(0, "test"),
        () => one.health.setWeight(1, "test"),
      ],
    ] as const
  ) {
    stop();
    assertEquals(one.health.standsIn(now()), false);
    go();
    assertEquals(one.health.standsIn(now()), true);
  }
  const strict = makeHealth({ passiveHealth: PASSIVE });
  fail(strict, 3);
  assertEquals(strict.health.standsIn(strict.clock.wall()), false);
});

Deno.test("BackendHealth: a reload keeps one left alone for hanging, and ends an ejection whose config is gone", () => {
  const one = makeHealth();
  const plain = {
    weight: 1,
    passiveHealth: undefined,
    breaker: undefined,
    slowStart: undefined,
  };
  attempt(one, (permit) => one.health.failed(HANGS[0]!, permit));
  one.health.update(plain);
  assertEquals(eligible(one), false);
  one.health.update({ ...plain, passiveHealth: PASSIVE });
  assertEquals(eligible(one), false);
  one.health.update(plain);
  assertEquals(eligible(one), true);
  assertEquals(one.told(), [
    "passive: closed > ejected",
    "passive: ejected > closed",
  ]);
});

Deno.test("BackendHealth.beginAnyway is no trial where none may be", () => {
  const one = makeHealth({ breaker: BREAKER });
  fail(one, 3);
  const permit = one.health.beginAnyway();
  assertEquals(one.health.load, 1);
  one.health.succeeded(permit);
  one.health.end(permit);
  assertEquals([eligible(one), one.health.load], [false, 0]);
});

Deno.test("BackendHealth.load counts the attempts of all workers", () => {
  const [one, other] = twoWorkers({});
  const permits = [one, one, other].map(({ health }) => health.begin()!);
  assertEquals([one.health.load, other.health.load], [3, 3]);
  one.health.end(permits[0]!);
  assertEquals([one.health.load, other.health.load], [2, 2]);
});

Deno.test("BackendHealth.reset ends ejection and opens the way, once", () => {
  const one = makeHealth({ passiveHealth: PASSIVE, breaker: BREAKER });
  assertEquals(one.health.reset("test"), false);
  fail(one, 3);
  one.told();
  assertEquals([one.health.reset("test"), eligible(one)], [true, true]);
  assertEquals(one.told(), [
    "passive: ejected > closed",
    "breaker: open > closed",
  ]);
  assertEquals([one.health.reset("test"), one.told()], [false, []]);
});

Deno.test("BackendHealth: what operators and checks say counts in all workers and is told once", () => {
  const [one, other] = twoWorkers({});
  const changes: [() => unknown, string, boolean][] = [
    [
      () => one.health.setState("disabled", "t"),
      "admin: ready > disabled",
      false,
    ],
    [
      () => one.health.setState("drain", "t"),
      "admin: disabled > drain",
      false,
    ],
    [
      () => one.health.setState("maintenance", "t"),
      "admin: drain > maintenance",
      false,
    ],
    [
      () => one.health.setState("ready", "t"),
      "admin: maintenance > ready",
      true,
    ],
    [() => one.health.setWeight(0, "t"), "weight: configured > 0", false],
    [() => one.health.setWeight(5, "t"), "weight: 0 > 5", true],
    [
      () => one.health.setWeight(undefined, "t"),
      "weight: 5 > configured",
      true,
    ],
    [() => one.health.setChecked(false, "t"), "check: up > down", false],
    [() => one.health.setChecked(true, "t"), "check: down > up", true],
  ];
  for (const [change, told, traffic] of changes) {
    const { value } = other.epoch;
    change();
    change();
    assertEquals(one.told(), [told]);
    assertEquals(eligible(other), traffic);
    assert(other.epoch.value !== value);
  }
  assertEquals(other.events, []);
});

Deno.test("BackendHealth.serves: at weight 0 sticky sessions still come, in other states they don't", () => {
  const one = makeHealth({ weight: 0 });
  const now = one.clock.wall();
  assertEquals([one.health.eligible(now), one.health.serves(now)], [
    false,
    true,
  ]);
  one.health.setState("disabled", "t");
  assertEquals(one.health.serves(now), false);
});

Deno.test("BackendHealth.weight grows after each way of coming back, and never at the start", () => {
  const comebacks: [string, (one: TestHealth) => void][] = [
    ["checks", ({ health }) => {
      health.setChecked(false, "t");
      health.setChecked(true, "t");
    }],
    ["an operator", ({ health }) => {
      health.setState("maintenance", "t");
      health.setState("ready", "t");
    }],
    ["a trial", (one) => {
      fail(one, 3);
      one.clock.advance(30_000);
      attempt(one, (permit) => one.health.succeeded(permit));
    }],
    ["a reset", (one) => {
      fail(one, 3);
      one.health.reset("t");
    }],
    ["a reload that brings it", ({ health }) => health.startSlowly()],
  ];
  for (const [what, comeBack] of comebacks) {
    const one = makeHealth({
      weight: 10,
      slowStart: 10_000,
      passiveHealth: PASSIVE,
      breaker: BREAKER,
    });
    const weight = () => one.health.weight(one.clock.wall());
    const changesAt = () => one.health.changesAt(one.clock.wall());
    assertEquals([weight(), changesAt()], [10, Infinity]);
    comeBack(one);
    assertEquals(weight(), 1, what);
    assertEquals(changesAt(), one.clock.wall() + 1_000, what);
    one.clock.advance(5_000);
    assertEquals(weight(), 6, what);
    one.clock.advance(5_000);
    assertEquals([weight(), changesAt()], [10, Infinity], what);
  }
});

Deno.test("BackendHealth.update: a gate that the config drops is closed, one that it keeps stays", () => {
  const settings = {
    weight: 1,
    slowStart: undefined,
    passiveHealth: PASSIVE,
    breaker: BREAKER,
  };
  const one = makeHealth(settings);
  fail(one, 3);
  one.told();
  one.health.update({ ...settings, passiveHealth: undefined });
  assertEquals([one.told(), eligible(one)], [
    ["passive: ejected > closed"],
    false,
  ]);
  one.health.update({ ...settings, passiveHealth: undefined });
  one.health.update({
    ...settings,
    passiveHealth: undefined,
    breaker: undefined,
  });
  assertEquals([one.told(), eligible(one)], [["breaker: open > closed"], true]);
});

Deno.test("BackendHealth.states tells everything", () => {
  const one = makeHealth({
    weight: 4,
    slowStart: 10_000,
    passiveHealth: PASSIVE,
  });
  const states = () => one.health.states(one.clock.wall());
  assertEquals(states(), {
    up: true,
    state: "ready",
    check: "up",
    passive: "closed",
    breaker: undefined,
    weight: 4,
    configuredWeight: 4,
    weightNow: 4,
    load: 0,
  });
  one.health.setWeight(20, "t");
  one.health.setState("drain", "t");
  one.health.setState("ready", "t");
  one.health.setChecked(false, "t");
  fail(one, 3);
  one.health.beginAnyway();
  assertEquals(states(), {
    up: false,
    state: "ready",
    check: "down",
    passive: "ejected",
    breaker: undefined,
    weight: 20,
    configuredWeight: 4,
    weightNow: 2,
    load: 1,
  });
  one.health.setChecked(true, "t");
  one.clock.advance(10_000);
  assertEquals([states().passive, states().up], ["half-open", false]);
});
