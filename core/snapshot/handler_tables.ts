/**
 * Handler tables of a snapshot: which handlers run at each point, in order.
 *
 * @module
 */
import { CALLBACK_POINTS, POINT, type PointName } from "../callback_points.ts";
import type { PluginConfig } from "../config/config.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { PluginInstance } from "../plugins/instances.ts";
import type { HandlerObserver } from "../session/handler_runs.ts";
import {
  type AnyHandler,
  type BoundHandler,
  compareHandlers,
  type HandlerTable,
} from "../session/handlers.ts";
import type { BoundPart, WebSocketParts } from "../session/websocket_parts.ts";

/** A living plugin and what the config says of it. */
export interface PluginUse {
  readonly instance: PluginInstance;
  readonly config: PluginConfig;
}

/** A plugin's handlers, bound. */
interface BoundPlugin {
  readonly instance: PluginInstance;
  readonly config: PluginConfig;
  readonly order: number;
  readonly place: number;
  readonly handlers: ReadonlyMap<PointName, BoundHandler>;
  readonly observer: HandlerObserver | undefined;
}

/** Makes tables for listeners and products. */
export class HandlerTables {
  readonly #plugins: readonly BoundPlugin[];

  constructor(uses: readonly PluginUse[], metrics: ProxyMetrics) {
    this.#plugins = uses
      .map((use, place) => ({
        instance: use.instance,
        config: use.config,
        order: use.config.order,
        place,
        handlers: bind(use, place, metrics),
        observer: bindObserver(use, metrics),
      }))
      .sort(compareHandlers);
  }

  /** The handlers on a listener before a product is known. */
  global(listener: string): HandlerTable {
    return table(this.#global(listener));
  }

  /** The handlers on a listener for a product: global ones first, then the product's. */
  product(listener: string, product: string): HandlerTable {
    return table(this.#ofProduct(listener, product));
  }

  /** What plugins bring for WebSocket sessions on a listener for a product, in the same order. */
  websocket(listener: string, product: string): WebSocketParts {
    const plugins = this.#ofProduct(listener, product);
    return {
      providers: plugins.flatMap((plugin) =>
        boundPart(plugin, plugin.instance.parts.valves)
      ),
      listeners: plugins.flatMap((plugin) =>
        boundPart(plugin, plugin.instance.parts.sessionListener)
      ),
    };
  }

  /** Who hears of handlers' runs on a listener, before or once a product is known; undefined for nobody. */
  observers(
    listener: string,
    product: string | undefined,
  ): readonly HandlerObserver[] | undefined {
    const plugins = product === undefined
      ? this.#global(listener)
      : this.#ofProduct(listener, product);
    const observers = plugins.flatMap(({ observer }) => observer ?? []);
    return observers.length === 0 ? undefined : observers;
  }

  #ofProduct(listener: string, product: string): BoundPlugin[] {
    const own = this.#plugins.filter(({ config }) =>
      config.products?.includes(product) === true && on(config, listener)
    );
    return [...this.#global(listener), ...own];
  }

  #global(listener: string): BoundPlugin[] {
    return this.#plugins.filter(({ config }) =>
      config.products === undefined && on(config, listener)
    );
  }
}

function boundPart<Part>(
  { instance, config }: BoundPlugin,
  part: Part | undefined,
): BoundPart<Part>[] {
  return part === undefined
    ? []
    : [{ plugin: instance.name, onError: config.onError, part }];
}

function on(config: PluginConfig, listener: string): boolean {
  return config.listeners === undefined || config.listeners.includes(listener);
}

function bind(
  { instance, config }: PluginUse,
  place: number,
  metrics: ProxyMetrics,
): ReadonlyMap<PointName, BoundHandler> {
  const bound = new Map<PointName, BoundHandler>();
  const handlers = Object.entries(instance.parts.handlers ?? {});
  for (const [name, run] of handlers as [PointName, AnyHandler][]) {
    bound.set(name, {
      plugin: instance.name,
      point: name,
      run,
      order: config.order,
      place,
      timeout: config.timeout,
      onError: config.onError,
      errors: metrics.handlerErrors.series(instance.name, name),
      duration: metrics.handlerDuration.series(instance.name, name),
      calls: 0,
    });
  }
  return bound;
}

function bindObserver(
  { instance: { name, parts } }: PluginUse,
  metrics: ProxyMetrics,
): HandlerObserver | undefined {
  return parts.handlerStarted && {
    plugin: name,
    started: parts.handlerStarted,
    errors: metrics.handlerErrors.series(name, "handlerStarted"),
  };
}

function table(plugins: readonly BoundPlugin[]): HandlerTable {
  const lists: (BoundHandler[] | null)[] = CALLBACK_POINTS.map(() => null);
  for (const { handlers } of plugins) {
    for (const [name, handler] of handlers) {
      (lists[POINT[name]] ??= []).push(handler);
    }
  }
  return lists;
}
