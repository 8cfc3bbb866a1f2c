/**
 * The living plugins of one data plane: the same bytes, name and options are
 * the same instance, kept for as long as anybody holds it.
 *
 * @module
 */
import type { Clock } from "../net/clock.ts";
import { within } from "../net/within.ts";
import type { Log, Plugin, PluginContext, PluginParts } from "../plugin.ts";
import { guardParts } from "./guard.ts";
import { type Builtins, importPlugin } from "./import_plugin.ts";
import { checkOptions, stableJson } from "./plugin_options.ts";
import type { PluginArtifact } from "./plugin_artifact.ts";
import { messageOf, PluginLoadError } from "./plugin_load_error.ts";

/** Which instance is wanted. */
export interface PluginSpec {
  readonly artifact: PluginArtifact;
  /** The config's name for it; undefined for the plugin's own. */
  readonly name: string | undefined;
  /** As the config has them: plain data. */
  readonly options: unknown;
  /** Milliseconds for import, check of options and setup together; 30 000 by default. Not the deadline of handlers. */
  readonly timeoutMs?: number;
}

/** A spec whose name is settled. */
export type NamedPluginSpec = PluginSpec & { readonly name: string };

/** What an instance said in its set-up that it needs. */
export interface PluginNeeds {
  /** It reads facts of TLS that not every listener tells. */
  tlsFacts: boolean;
}

/** Makes what `setup` gets; `options` are checked, `signal` fires when the instance ends. */
export type ContextMaker = (
  spec: NamedPluginSpec,
  options: unknown,
  signal: AbortSignal,
  needs: PluginNeeds,
) => PluginContext<unknown>;

/** A plugin that is set up. */
export interface PluginInstance {
  readonly name: string;
  readonly artifact: PluginArtifact;
  readonly plugin: Plugin;
  readonly parts: PluginParts;
  readonly needs: Readonly<PluginNeeds>;
  /** Fires when the instance ends. */
  readonly signal: AbortSignal;
}

/** What {@linkcode PluginInstances} needs. */
export interface PluginInstancesOptions {
  readonly builtins: Builtins;
  readonly clock: Clock;
  /** Is told what goes wrong when an instance ends. */
  readonly log: Log;
}

const SETUP_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 5_000;

/** One instance's life. */
interface Life {
  readonly key: string;
  /** How many acquired it and did not release it yet. */
  holders: number;
  readonly end: AbortController;
  readonly ready: Promise<PluginInstance>;
  /** Set while it lives: from the end of its set-up to its last holder's leave. */
  instance: PluginInstance | undefined;
  /** Set once the last holder left. */
  ended: Promise<void> | undefined;
}

/** How far a set-up got, for the refusal when its time is over. */
interface Progress {
  step: "import" | "check of options" | "setup";
}

/** The living plugins of one data plane. */
export class PluginInstances {
  readonly #builtins: Builtins;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #lives = new Map<string, Life>();
  readonly #byInstance = new Map<PluginInstance, Life>();

  constructor({ builtins, clock, log }: PluginInstancesOptions) {
    this.#builtins = builtins;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * The instance of this artifact, name and options: one that lives already,
   * its options checked again, or a new one. Each success needs one
   * {@linkcode release}. Throws a {@linkcode PluginLoadError} and leaves nothing
   * behind.
   */
  async acquire(
    spec: PluginSpec,
    makeContext: ContextMaker,
  ): Promise<PluginInstance> {
    const key = keyOf(spec);
    for (;;) {
      const life = this.#lives.get(key);
      if (life === undefined) return await this.#begin(key, spec, makeContext);
      if (life.ended === undefined) return await this.#join(life, spec);
      // It may hold what the new one needs, such as a port.
      await life.ended;
    }
  }

  /**
   * Gives back what {@linkcode acquire} gave. The last one ends the instance:
   * its signal fires, then `close` runs for at most 5 s. Throws a `RangeError`
   * for an instance that was given back before.
   */
  async release(instance: PluginInstance): Promise<void> {
    const life = this.#byInstance.get(instance);
    if (life === undefined || life.holders === 0) {
      throw new RangeError(
        `Cannot release plugin ${instance.name} as nobody holds it`,
      );
    }
    life.holders--;
    if (life.holders > 0) return;
    life.ended = this.#end(life, instance);
    await life.ended;
  }

  /** The instances that live, in the order in which they were asked for. */
  list(): readonly PluginInstance[] {
    return [...this.#lives.values()].flatMap(({ instance }) => instance ?? []);
  }

  async #begin(
    key: string,
    spec: PluginSpec,
    makeContext: ContextMaker,
  ): Promise<PluginInstance> {
    const end = new AbortController();
    const ready = this.#setUpInTime(spec, makeContext, end);
    const life: Life = {
      key,
      holders: 1,
      end,
      ready,
      instance: undefined,
      ended: undefined,
    };
    this.#lives.set(key, life);
    try {
      const instance = life.instance = await ready;
      this.#byInstance.set(instance, life);
      return instance;
    } catch (error) {
      this.#lives.delete(key);
      throw error;
    }
  }

  async #join(life: Life, spec: PluginSpec): Promise<PluginInstance> {
    // Held from here on, so that it can't end while the options are checked.
    life.holders++;
    const instance = await life.ready;
    const { artifact: { use }, options } = spec;
    const progress: Progress = { step: "check of options" };
    const check = checkOptions(instance.plugin, structuredClone(options), use);
    try {
      await this.#inTime(check, spec, progress);
    } catch (error) {
      await this.release(instance);
      throw error;
    }
    return instance;
  }

  /** Sets an instance up, or ends what there is of it when its time is over. */
  async #setUpInTime(
    spec: PluginSpec,
    makeContext: ContextMaker,
    end: AbortController,
  ): Promise<PluginInstance> {
    const progress: Progress = { step: "import" };
    const work = this.#setUp(spec, makeContext, end.signal, progress);
    try {
      return await this.#inTime(work, spec, progress);
    } catch (error) {
      end.abort(error);
      // What ends too late is closed then; what fails too late has been told of.
      work.then((instance) => this.#close(instance), () => {});
      throw error;
    }
  }

  #inTime<T>(
    work: Promise<T>,
    { artifact, timeoutMs = SETUP_TIMEOUT_MS }: PluginSpec,
    progress: Progress,
  ): Promise<T> {
    return within(this.#clock, timeoutMs, work, () => {
      throw new PluginLoadError(
        artifact.use,
        "setup_timeout",
        `its ${progress.step} did not end within ${timeoutMs} ms`,
      );
    });
  }

  async #setUp(
    spec: PluginSpec,
    makeContext: ContextMaker,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<PluginInstance> {
    const { artifact } = spec;
    const { use } = artifact;
    const plugin = await importPlugin(artifact, this.#builtins);
    signal.throwIfAborted();
    progress.step = "check of options";
    // A copy: the plugin may change its options, the config's stay.
    const given = structuredClone(spec.options);
    const options = await checkOptions(plugin, given, use);
    signal.throwIfAborted();
    progress.step = "setup";
    const name = spec.name ?? plugin.name;
    const needs: PluginNeeds = { tlsFacts: false };
    const context = makeContext({ ...spec, name }, options, signal, needs);
    let returned: unknown;
    try {
      returned = await plugin.setup(context);
    } catch (error) {
      throw new PluginLoadError(
        use,
        "setup_failed",
        `setup of plugin "${name}" threw ${messageOf(error)}`,
        { cause: error },
      );
    }
    try {
      const parts = guardParts(returned, { use, name });
      return { name, artifact, plugin, parts, needs, signal };
    } catch (error) {
      await this.#closeRefused(returned, name);
      throw error;
    }
  }

  /** Parts that are refused may still hold something open. */
  async #closeRefused(returned: unknown, name: string): Promise<void> {
    try {
      await (returned as PluginParts | undefined)?.close?.();
    } catch (error) {
      this.#log.error(`Plugin ${name} failed to close`, {
        error: messageOf(error),
      });
    }
  }

  async #end(life: Life, instance: PluginInstance): Promise<void> {
    this.#byInstance.delete(instance);
    life.instance = undefined;
    life.end.abort(
      new DOMException("The plugin's instance ended", "AbortError"),
    );
    await this.#close(instance);
    this.#lives.delete(life.key);
  }

  async #close({ name, parts, artifact }: PluginInstance): Promise<void> {
    if (parts.close === undefined) return;
    const close = async () => await parts.close!();
    try {
      await within(this.#clock, CLOSE_TIMEOUT_MS, close(), () => {
        this.#log.warn(
          `Plugin ${name} did not close within ${CLOSE_TIMEOUT_MS} ms`,
          { use: artifact.use },
        );
      });
    } catch (error) {
      this.#log.error(`Plugin ${name} failed to close`, {
        use: artifact.use,
        error: messageOf(error),
      });
    }
  }
}

function keyOf({ artifact, name, options }: PluginSpec): string {
  return JSON.stringify([artifact.hash, name ?? null, stableJson(options)]);
}
