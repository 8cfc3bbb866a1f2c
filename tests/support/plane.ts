/**
 * Starts one data plane inside the test's process: its buffers and deadlines
 * are at hand, and a fake clock turns its time.
 *
 * @module
 */
import type { DataPlane } from "../../core/data_plane/data_plane.ts";
import { createDataPlane } from "../../core/data_plane/create.ts";
import type { Clock } from "../../core/net/clock.ts";
import { systemClock } from "../../core/net/clock.ts";
import { createLog } from "../../core/observe/log.ts";
import { loadCandidate } from "../../core/supervisor/load_candidate.ts";
import { builtins } from "../../plugins/mod.ts";
import { eventually } from "./eventually.ts";
import { configWith, type ProxyWith } from "./proxy_with.ts";

/** A running data plane. */
export interface TestPlane extends AsyncDisposable {
  readonly plane: DataPlane;
  readonly port: number;
  /** Bytes of buffers that are out. */
  readonly buffered: number;
  /** Waits until clients have sent so many bytes, in the plane's eyes. */
  received(bytes: number): Promise<void>;
  /** Waits until no session is open. */
  idle(): Promise<void>;
}

/** Starts it on a free port with listener `web` and cluster `main`. */
export async function startPlane(
  parts: ProxyWith,
  clock: Clock = systemClock,
): Promise<TestPlane> {
  const log = createLog({ level: "error", format: "json", write: () => {} });
  const cacheDir = await Deno.makeTempDir({ prefix: "headrace-plane-" });
  const loaded = await loadCandidate({
    source: {
      path: "test.yaml",
      baseDir: Deno.cwd(),
      read: () => Promise.resolve(configWith(parts)),
    },
    env: () => undefined,
    builtins: new Set(builtins.keys()),
    cacheDir,
    log,
  });
  const plane = createDataPlane({
    settings: {
      worker: 0,
      workers: 1,
      instance: "headrace-test",
      log: loaded.config.log,
      io: loaded.config.io,
    },
    clock,
    log,
    builtins,
  });
  const { ports } = await plane.prepare({ ...loaded, revision: 1, ports: {} });
  await plane.commit(1);
  return {
    plane,
    port: Object.values(ports)[0]!,
    get buffered() {
      const { tiny, small, medium, large } = plane.env.buffers;
      return [tiny, small, medium, large].reduce(
        (sum, { size, inUse }) => sum + size * inUse,
        0,
      );
    },
    async received(bytes) {
      await eventually(
        `${bytes} bytes from clients`,
        () => plane.env.clientBytes.in >= bytes,
      );
    },
    async idle() {
      await eventually("no session", () => plane.sessions.size === 0);
    },
    async [Symbol.asyncDispose]() {
      await plane.stop();
      await Deno.remove(cacheDir, { recursive: true });
    },
  };
}
