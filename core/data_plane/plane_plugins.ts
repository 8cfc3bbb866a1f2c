/**
 * The plugins of a data plane: those of a candidate acquired together, those of
 * a snapshot released together.
 *
 * @module
 */
import { compilePattern } from "../conditions/plugin_pattern.ts";
import {
  type PluginCondition,
  requestCondition,
  responseCondition,
} from "../conditions/plugin_condition.ts";
import { builtinPrimitives } from "../conditions/primitives.ts";
import type { PrimitiveTable } from "../conditions/primitive.ts";
import type { MetricRegistry } from "../observe/metrics.ts";
import type { CoreLog } from "../observe/log.ts";
import type { LineFileSource } from "../observe/line_files.ts";
import { pluginMetrics } from "../observe/plugin_metrics.ts";
import type { BackendEvent, PluginContext } from "../plugin.ts";
import type { Builtins } from "../plugins/import_plugin.ts";
import {
  type PluginInstance,
  PluginInstances,
  type PluginNeeds,
} from "../plugins/instances.ts";
import type { PlaneEnv } from "../session/env.ts";
import { pluginShared } from "../shared/plugin_shared.ts";
import { sharedKey, type SharedSource } from "../shared/shared_memory.ts";
import type { PluginUse } from "../snapshot/handler_tables.ts";
import { verdicts } from "../verdict.ts";
import { webSocketTools } from "../ws.ts";
import { type Candidate, RefusedError } from "./control.ts";
import { type SubrequestEntry, Subrequests } from "./subrequest.ts";

/** What plugins get their context from. */
export interface PlanePluginsOptions {
  readonly env: PlaneEnv;
  readonly registry: MetricRegistry;
  readonly log: CoreLog;
  readonly builtins: Builtins;
  /** The seat of this worker. */
  readonly seat: number;
  /** Gives the memory that they share with those of other workers. */
  readonly shared: SharedSource;
  /** Opens files that they append lines to. */
  readonly lineFiles: LineFileSource;
  /** Where their own requests enter. */
  readonly enter: SubrequestEntry["enter"];
}

/** The plugins of one data plane. */
export class PlanePlugins {
  readonly #options: PlanePluginsOptions;
  readonly #instances: PluginInstances;
  readonly #releases = new Set<Promise<void>>();
  /** The shared memories of instances, by the signals of these. */
  readonly #memories = new WeakMap<AbortSignal, Set<string>>();
  /** What their options' conditions may name. */
  #primitives: PrimitiveTable | undefined;

  constructor(options: PlanePluginsOptions) {
    this.#options = options;
    this.#instances = new PluginInstances({
      builtins: options.builtins,
      clock: options.env.clock,
      log: options.log,
    });
  }

  /** Has all of a candidate's plugins set up. Rejects with a {@linkcode RefusedError} that has a problem for each that fails. */
  async acquire({ config, artifacts }: Candidate): Promise<PluginUse[]> {
    const acquired = await Promise.allSettled(
      config.plugins.map(({ name, options }, i) =>
        this.#instances.acquire(
          { artifact: artifacts[i]!, name, options },
          (spec, options, signal, needs) =>
            this.#context(spec.name, options, signal, needs),
        )
      ),
    );
    const uses: PluginUse[] = [];
    const problems: string[] = [];
    acquired.forEach((result, i) => {
      if (result.status === "fulfilled") {
        uses.push({ instance: result.value, config: config.plugins[i]! });
      } else {
        const { reason } = result;
        problems.push(reason instanceof Error ? reason.message : `${reason}`);
      }
    });
    if (problems.length > 0) {
      this.release(uses);
      throw new RefusedError(problems);
    }
    return uses;
  }

  /** Gives back what `acquire` gave; who is given back by all ends. */
  release(uses: readonly PluginUse[]): void {
    for (const { instance } of uses) {
      const release = this.#instances.release(instance);
      this.#releases.add(release);
      release.then(() => this.#releases.delete(release));
    }
  }

  /** The shared memories that they got, by `sharedKey`. */
  memoriesOf(uses: readonly PluginUse[]): string[] {
    return uses.flatMap(({ instance }) => [
      ...this.#memories.get(instance.signal) ?? [],
    ]);
  }

  /** Resolves when all that were given back so far have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#releases);
  }

  /** Those that live, in the order of their set-up. */
  list(): readonly PluginInstance[] {
    return this.#instances.list();
  }

  /** Tells each of them; what one throws is logged and counted. */
  backendChanged(event: BackendEvent): void {
    for (const instance of this.list()) {
      const { backendChanged } = instance.parts;
      if (backendChanged === undefined) continue;
      try {
        const told = backendChanged(event);
        if (told instanceof Promise) {
          told.catch((thrown) => this.#callbackFailed(instance, thrown));
        }
      } catch (thrown) {
        this.#callbackFailed(instance, thrown);
      }
    }
  }

  #callbackFailed({ name }: PluginInstance, error: unknown): void {
    const { env, log } = this.#options;
    env.metrics.handlerErrors.series(name, "backendChanged").add();
    log.warn("A plugin's backendChanged failed", { plugin: name, error });
  }

  #context(
    name: string,
    options: unknown,
    signal: AbortSignal,
    needs: PluginNeeds,
  ): PluginContext<unknown> {
    const { env, registry, log, shared, lineFiles, enter } = this.#options;
    const memories = new Set<string>();
    this.#memories.set(signal, memories);
    const noted = <Test>({ test, readsTls }: PluginCondition<Test>) => {
      if (readsTls) needs.tlsFacts = true;
      return test;
    };
    const primitives = this.#primitives ??= builtinPrimitives(env.clock);
    const subrequests = new Subrequests({ env, enter });
    return {
      name,
      options,
      signal,
      verdict: verdicts,
      ws: webSocketTools,
      log: log.with({ plugin: name }),
      metrics: pluginMetrics(registry, name),
      shared: pluginShared({
        plugin: name,
        seat: this.#options.seat,
        source: shared,
        wall: () => env.clock.wall(),
        onUse: (request) => memories.add(sharedKey(request)),
      }),
      request: subrequests.send.bind(subrequests),
      lineFile: lineFiles,
      condition: (text) => noted(requestCondition(text, primitives)),
      responseCondition: (text) => noted(responseCondition(text, primitives)),
      pattern: compilePattern,
      needTlsFacts: () => {
        needs.tlsFacts = true;
      },
      clock: env.clock,
    };
  }
}
