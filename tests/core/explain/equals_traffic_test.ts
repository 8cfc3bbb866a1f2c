/**
 * What is explained is what then happens: random configs in a living data plane,
 * random requests over its sockets.
 *
 * @module
 */
import fc from "fast-check";
import type { PointName } from "../../../core/callback_points.ts";
import { createDataPlane } from "../../../core/data_plane/create.ts";
import type { DataPlane } from "../../../core/data_plane/data_plane.ts";
import type { Backend } from "../../../core/connect/backend.ts";
import type {
  ClusterFacts,
  Explanation,
} from "../../../core/explain/explanation.ts";
import type { Permit } from "../../../core/health/backend_gates.ts";
import { systemClock } from "../../../core/net/clock.ts";
import { createLog } from "../../../core/observe/log.ts";
import type {
  BalanceMember,
  BalancePolicy,
  Handlers,
} from "../../../core/plugin.ts";
import type { TraceReport } from "../../../core/session/trace_report.ts";
import { loadCandidate } from "../../../core/supervisor/load_candidate.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inTime } from "../../support/eventually.ts";
import { inlinePlugin } from "../../support/inline_plugin.ts";
import { RawClient } from "../../support/raw_client.ts";
import { fieldValues, type RawResponse } from "../../support/raw_responses.ts";
import {
  type ScriptedBackend,
  serveEach,
} from "../../support/scripted_backend.ts";
import { type Asked, type Case, cases, type Mark } from "./random_case.ts";

const TOKEN = "a token";

const LATE: readonly PointName[] = [
  "foundProduct",
  "afterLocation",
  "requestBuffered",
  "cacheLookupComplete",
  "forward",
  "resolve",
  "sendRequestHeader",
  "readResponseHeader",
  "readResponse",
  "sendResponseHeader",
  "requestFinish",
  "transactionClose",
];

/** Handlers that do nothing at every nth of the points. */
function handlersAt(points: readonly PointName[], n: number): Handlers {
  const some = points.filter((_, i) => i % n === 0);
  return Object.fromEntries(some.map((point) => [point, () => undefined]));
}

/** One that brings a primitive and a policy, those with handlers everywhere, and those that products may have. */
const PLUGINS = [
  inlinePlugin({
    name: "own",
    setup: () => ({
      conditions: {
        own_user: (user) => (request) => {
          if (request.headers.has("x-throw")) throw new Error("on purpose");
          return request.headers.get("x-user") === user;
        },
      },
      balancers: {
        own: () => {
          let last: BalanceMember | undefined;
          const answer: BalancePolicy["pick"] = (_context, usable) =>
            last !== undefined && usable?.(last) !== false ? last : undefined;
          return {
            update(members) {
              last = members.at(-1);
            },
            pick: answer,
            peek: answer,
          };
        },
      },
    }),
  }),
  ...[1, 2].map((n) =>
    inlinePlugin({
      name: `early${n}`,
      setup: () => ({
        handlers: handlersAt(
          ["readRequestHeader", "beforeLocation", ...LATE],
          n,
        ),
      }),
    })
  ),
  ...[1, 2, 3].map((n) =>
    inlinePlugin({
      name: `late${n}`,
      setup: () => ({ handlers: handlersAt(LATE, n) }),
    })
  ),
];

/** A data plane that gets one config after another, before one backend of many names. */
class Stage implements AsyncDisposable {
  readonly plane: DataPlane;
  readonly #backend: ScriptedBackend;
  readonly #log = createLog({ level: "error", format: "json", write() {} });
  readonly #cacheDir: string;
  #revision = 0;
  #ports: Readonly<Record<string, number>> = {};
  #cookie: string | undefined;
  /** What holds backends' slots; of the current config. */
  #slots: { readonly backend: Backend; readonly permit: Permit }[] = [];

  constructor(cacheDir: string) {
    this.#cacheDir = cacheDir;
    // The path's first element is the backend's name: each has it for its prefix.
    this.#backend = serveEach(async (connection, request) => {
      const { method, target, headers } = request;
      await connection.body(Number(headers.get("content-length") ?? 0));
      const name = target.split("/")[1]!;
      await connection.send(
        `HTTP/1.1 200 Fine\r\nX-Backend: ${name}\r\nContent-Length: 1\r\n\r\n${
          method === "HEAD" ? "" : "x"
        }`,
      );
    });
    this.plane = createDataPlane({
      settings: {
        worker: 0,
        workers: 1,
        instance: "headrace-test",
        log: { level: "error", format: "json" },
        token: TOKEN,
      },
      clock: systemClock,
      log: this.#log,
      builtins: new Map(),
    });
  }

  async use(one: Case): Promise<void> {
    const loaded = await loadCandidate({
      source: {
        path: "test.yaml",
        baseDir: Deno.cwd(),
        read: () => Promise.resolve(JSON.stringify(this.#config(one))),
      },
      env: () => undefined,
      builtins: new Set(),
      cacheDir: this.#cacheDir,
      log: this.#log,
    });
    const revision = ++this.#revision;
    const { ports } = await this.plane.prepare({
      ...loaded,
      revision,
      ports: this.#ports,
    });
    await this.plane.commit(revision);
    this.#ports = ports;
    this.#cookie = undefined;
    this.#slots = [];
    for (const mark of one.marks) this.#mark(mark);
  }

  #config({ products, clusters, plugins }: Case): object {
    let backends = 0;
    const named = (backend: object) => {
      const id = `r${this.#revision}b${backends++}`;
      return { id, url: `${this.#backend.url}/${id}`, ...backend };
    };
    const kept = products.map(({ hosts, rules }, i) => ({
      name: `p${i}`,
      default: i === 2 && rules.length % 3 > 0,
      hosts,
      rules,
    })).filter((product) => product.default || product.hosts.length > 0);
    const names = kept.map(({ name }) => name);
    return {
      listeners: [
        { name: "near", address: "127.0.0.1:0", limits: { bodyBytes: 10 } },
        { name: "far", address: "127.0.0.1:0", trusted: ["127.0.0.0/8"] },
      ],
      products: kept,
      clusters: clusters.map((cluster) => ({
        ...cluster,
        subclusters: cluster.subclusters.map((subcluster) => ({
          ...subcluster,
          backends: subcluster.backends.map(named),
        })),
      })),
      plugins: [
        { use: PLUGINS[0] },
        ...plugins.map(({ plugin, order, products, near }) => {
          const limited = products?.map((n) => `p${n}`)
            .filter((name, i, all) =>
              names.includes(name) && all.indexOf(name) === i
            );
          return {
            use: PLUGINS[1 + plugin],
            order,
            ...limited !== undefined && limited.length > 0 &&
              { products: limited },
            ...near && { listeners: ["near"] },
          };
        }),
      ],
    };
  }

  get #backends() {
    return [...this.plane.current.clusters.values()].flatMap(({ members }) =>
      members.map(({ backend }) => backend)
    );
  }

  #mark({ backend: number, does }: Mark): void {
    const backends = this.#backends;
    const backend = backends[number % Math.max(1, backends.length)];
    if (backend === undefined) return;
    const { health } = backend;
    switch (does) {
      case "disable":
        health.setState("disabled", "test");
        break;
      case "maintain":
        health.setState("maintenance", "test");
        break;
      case "weight":
        health.setWeight(3, "test");
        break;
      case "check":
        health.setChecked(false, "test");
        break;
      case "fill":
        this.#slots.push({ backend, permit: health.beginAnyway() });
    }
  }

  /** Explains a request, then sends it. */
  async ask(asked: Asked): Promise<Told> {
    const { far, method, host, target, sticky, body } = asked;
    const port = Object.values(this.#ports)[far ? 1 : 0]!;
    const headers = [
      ...asked.headers,
      ...sticky && this.#cookie !== undefined
        ? [["Cookie", this.#cookie] as const]
        : [],
    ];
    const explanation = await this.plane.explain({
      url: `http://${host}:${port}${target === "*" ? "/" : target}`,
      method,
      headers,
      body,
    });
    using client = await RawClient.connect(port);
    const lines = [
      `${method} ${target === "*" ? "/" : target} HTTP/1.1`,
      `Host: ${host}:${port}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...body === undefined ||
          headers.some(([name]) => name === "Content-Length")
        ? []
        : [`Content-Length: ${body.length}`],
      "X-Headrace-Explain: 1",
      `X-Headrace-Token: ${TOKEN}`,
    ];
    await client.send(`${lines.join("\r\n")}\r\n\r\n${body ?? ""}`);
    if (explanation.cluster?.pick.waits) await this.#free(explanation.cluster);
    const responses = await client.responses(1, [method]);
    const response = responses.at(-1)!;
    const [cookie] = fieldValues(response.head, "set-cookie");
    if (cookie !== undefined) this.#cookie = cookie.split(";")[0];
    return { explanation, response, trace: await this.#trace(response) };
  }

  /** Lets one of those serve that the request waits for. */
  async #free({ name, subclusters, pick }: ClusterFacts): Promise<void> {
    const cluster = this.plane.current.cluster(name)!;
    await until("the request waits", () => cluster.life.queue.length === 1);
    const [first] = subclusters.flatMap(({ name, backends }) =>
      backends.filter(({ candidate }) => candidate && name === pick.subcluster)
    );
    const backend = cluster.find(pick.backend ?? first!.id)!;
    for (const slot of this.#slots) {
      if (slot.backend === backend) backend.leave(slot.permit);
    }
    this.#slots = this.#slots.filter((slot) => slot.backend !== backend);
  }

  async #trace({ head }: RawResponse): Promise<TraceReport | undefined> {
    const [field] = fieldValues(head, "x-headrace-explain");
    if (field === undefined) return undefined;
    const { id } = JSON.parse(field);
    return await until("the transaction's end", () => {
      const trace = this.plane.traces.find(id);
      return trace?.state === "closed" && trace;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plane.stop();
    await this.#backend[Symbol.asyncDispose]();
    await Deno.remove(this.#cacheDir, { recursive: true });
  }
}

/** What was explained, and what happened. */
interface Told {
  readonly explanation: Explanation;
  readonly response: RawResponse;
  /** Undefined where the head was refused. */
  readonly trace: TraceReport | undefined;
}

/** Asks in every turn of the event loop until it holds. */
function until<T>(what: string, ask: () => T | false | undefined): Promise<T> {
  return inTime(
    what,
    (async () => {
      for (;;) {
        const answer = ask();
        if (answer) return answer;
        await new Promise((resolve) => setTimeout(resolve));
      }
    })(),
  );
}

/** How often each outcome was compared: a generator that makes no use of its freedom proves nothing. */
const seen = new Map<string, number>();

function note(what: string): void {
  seen.set(what, (seen.get(what) ?? 0) + 1);
}

function compare({ explanation, response, trace }: Told): void {
  const { outcome, cluster } = explanation;
  note(outcome.kind === "refuse" ? outcome.code : outcome.kind);
  switch (outcome.kind) {
    case "forward": {
      assertEquals(response.status, 200);
      const [attempt, ...others] = trace!.attempts;
      assertEquals(others, []);
      assertEquals(attempt!.cluster, cluster!.name);
      const [served] = fieldValues(response.head, "x-backend");
      assertEquals(attempt!.backend, served);
      if (cluster!.pick.waits) note("waits");
      if (cluster!.sticky?.backend !== undefined) note("sticky");
      if (cluster!.panics) note("panics");
      note(cluster!.balance);
      if (outcome.backend !== undefined) {
        assertEquals(served, outcome.backend);
      } else {
        const { backends } = cluster!.subclusters.find(({ name }) =>
          name === attempt!.subcluster
        )!;
        assertEquals(cluster!.balance, "random");
        assert(
          backends.some(({ id, candidate }) => candidate && id === served),
        );
      }
      assertEquals(attempt!.subcluster, cluster!.pick.subcluster);
      break;
    }
    case "redirect":
      assertEquals(response.status, outcome.status);
      assertEquals(fieldValues(response.head, "location"), [outcome.to]);
      break;
    case "respond":
      assertEquals(response.status, outcome.status);
      break;
    case "refuse":
      assertEquals(response.status, outcome.status);
      assertEquals(trace?.error?.code ?? outcome.code, outcome.code);
  }
  // A head that is refused has nothing to trace.
  assertEquals(trace === undefined, explanation.request === undefined);
  if (trace === undefined) return;
  const { request, rules } = explanation;
  assertEquals(trace.listener, explanation.listener.name);
  assertEquals(trace.product, explanation.product?.name);
  assertEquals(trace.rule, rules.find(({ matched }) => matched)?.number);
  assertEquals(trace.client, request!.clientAddress);
  assertEquals(trace.host, request!.host);
  assertEquals(trace.scheme, request!.scheme);
  if (rules.some(({ excluded }) => excluded)) note("index");
  if (explanation.product !== undefined) note(explanation.product.by);
  if (explanation.points.some(({ point }) => point === "requestBuffered")) {
    note("buffered");
  }
  if (rules.some(({ when }) => when?.includes("req_body_json_in"))) {
    note("body");
  }
  assertEquals(handlersOf(trace), handledPoints(explanation));
}

/** Points of the connection, and before the head, are in no trace. */
const UNTRACED = new Set<PointName>(["accept", "transactionStart", "finish"]);

function handledPoints({ points }: Explanation): string[] {
  return points.flatMap(({ point, handlers }) =>
    UNTRACED.has(point) ? [] : [
      point,
      ...handlers.map(({ plugin, scope }) => `  ${plugin} ${scope}`),
    ]
  );
}

function handlersOf({ steps }: TraceReport): string[] {
  return steps.flatMap((step) =>
    "point" in step
      ? [
        step.point,
        ...(step.handlers ?? []).map(({ plugin, scope }) =>
          `  ${plugin} ${scope}`
        ),
      ]
      : []
  );
}

Deno.test("what is explained is what then happens, on 200 random configs", async () => {
  const cacheDir = await Deno.makeTempDir({ prefix: "headrace-explain-" });
  await using stage = new Stage(cacheDir);
  seen.clear();
  await fc.assert(
    fc.asyncProperty(cases(PLUGINS.length - 1, 3), async (one) => {
      await stage.use(one);
      for (const asked of one.requests) compare(await stage.ask(asked));
    }),
    // To make a failing case small takes minutes where it waits for slots.
    { numRuns: 200, seed: 20_240_731, endOnFailure: true },
  );
  const met = [
    "forward redirect respond bad_request no_product no_rule no_backend",
    "blackholed websocket_handshake handler_error waits sticky panics index",
    "body_too_large buffered body",
    "exact wildcard default roundrobin leastconn random first hash own",
  ].join(" ").split(" ");
  assertEquals(met.filter((what) => (seen.get(what) ?? 0) < 2), []);
});
