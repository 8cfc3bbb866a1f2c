/**
 * Runs one case against a proxy of its own over real sockets.
 *
 * @module
 */
import { HeadIndex } from "../../core/http1/head_index.ts";
import { parseRequestHead } from "../../core/http1/request_parser.ts";
import { patternOf } from "../core/http1/acceptance_cases.ts";
import { eventually } from "../support/eventually.ts";
import { latin1Bytes } from "../support/latin1.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { configWith } from "../support/proxy_with.ts";
import { type RawBackend, serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { type Http1Case, sentText, type Step } from "./cases.ts";
import { judge, requiredStatuses } from "./judge.ts";

/** How what goes over the sockets is cut: one write a piece. */
export type Cut = (bytes: Uint8Array) => readonly Uint8Array[];

/** How a case is run. */
export interface RunOptions {
  /** A directory for the proxy's cache of plugins, shared by all. */
  readonly cacheDir: string;
  /** Cuts what the client sends. */
  readonly client: Cut;
  /** Cuts what the backend sends. */
  readonly backend: Cut;
}

/** In one piece. */
export const WHOLE: Cut = (bytes) => [bytes];

/** The timeouts that the file assumes, as config keys. */
const LISTENER = {
  timeouts: { header: "2s", body: "3s", write: "3s", keepAlive: "2s" },
};
const CLUSTER = {
  timeouts: { connect: "1s", response: "2s", read: "2s" },
  // The cases' upgrades are tunnels: their backends answer keys and speak bytes of their own.
  websocket: { mode: "tunnel" },
};

/** Runs it; what was not met, in words. */
export async function runCase(
  item: Http1Case,
  options: RunOptions,
): Promise<string[]> {
  await using backend = serveRaw(item.backend, { pieces: options.backend });
  const config = configWith({
    backends: [backend.url],
    listener: LISTENER,
    cluster: CLUSTER,
  });
  await using proxy = await startProxy(config, { cacheDir: options.cacheDir });
  const client = await RawClient.connect(proxy.port());
  try {
    return await play(item, client, backend, proxy, options);
  } catch (thrown) {
    return [String(thrown)];
  } finally {
    await client.closed();
  }
}

async function play(
  item: Http1Case,
  client: RawClient,
  backend: RawBackend,
  proxy: TestProxy,
  options: RunOptions,
): Promise<string[]> {
  const { steps, expect } = item;
  const methods = /^HEAD /.test(sentText(steps)) ? ["HEAD"] : [];
  await sendSteps(client, steps, options.client);
  const met = () =>
    finals(client, methods) >= requiredStatuses(expect) &&
    client.received.length >= (expect.outmin ?? 0) &&
    (expect.outre ?? []).every((each) => patternOf(each).test(client.received));
  if (expect.close !== true) await client.until("what is expected", met);
  else await client.end();
  const closedByProxy = client.ended;
  // What may still come, such as a response too many, comes before the end.
  await client.halfClose();
  await client.end();
  client.close();
  await eventually("the session's end", async () => {
    const { sessionsOpen } = await proxy.supervisor.report(0);
    return sessionsOpen === 0;
  });
  if (expect.nopool === true || expect.up === 0) {
    await eventually(
      "the end of the backend's connections",
      () => backend.connections.every(({ ended }) => ended),
    );
  }
  const streamedFault = options.client !== WHOLE && faultInBody(item);
  return judge(item, {
    client,
    backend,
    methods,
    closedByProxy,
    streamedFault,
  });
}

function finals(client: RawClient, methods: readonly string[]): number {
  // A 1xx counts as the cases count it: as an element of the sequence.
  return client.parse(methods).filter(({ complete, framing }) =>
    complete || (framing === "end" && client.ended)
  ).length;
}

async function sendSteps(
  client: RawClient,
  steps: readonly Step[],
  cut: Cut,
): Promise<void> {
  for (const step of steps) {
    if ("pause" in step) {
      await new Promise((resolve) => setTimeout(resolve, step.pause * 1000));
    } else if ("halfClose" in step) {
      await client.halfClose();
    } else {
      for (const piece of cut(latin1Bytes(step.send))) {
        if (!await client.send(piece)) return;
      }
    }
  }
}

/** Whether the head is well-formed, so that what the case is refused for comes later. */
function faultInBody({ steps, expect }: Http1Case): boolean {
  if (expect.up !== 0) return false;
  const bytes = latin1Bytes(sentText(steps));
  const limits = { headerBytes: 16 << 10, headers: 100, targetBytes: 8 << 10 };
  try {
    const index = new HeadIndex(limits.headers);
    return parseRequestHead(bytes, 0, bytes.length, limits, index) >= 0;
  } catch {
    // What the parser refuses is a fault of the head.
    return false;
  }
}
