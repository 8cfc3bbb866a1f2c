/**
 * Backends that plugins' dialers know, as their administrators tell and change
 * them.
 *
 * @module
 */
import type { AdministerAction, Administered } from "../data_plane/control.ts";
import type { AdminSource } from "./source.ts";

/** What an operator wants of one backend. */
export type DialerAction = Exclude<AdministerAction, "list" | "add" | "config">;

/** The dialers' backends of all clusters. */
export class DialerBackends {
  readonly #source: AdminSource;

  constructor(source: AdminSource) {
    this.#source = source;
  }

  /** Whether no cluster has backends that operators can reach: all have dialers, and none of these an administrator. */
  async allClosed(): Promise<boolean> {
    const { clusters } = this.#source.config;
    if (clusters.length === 0 || clusters.some(isOwn)) return false;
    return await this.lists() === undefined;
  }

  /** What they list, one after another; undefined where none has an administrator. */
  async lists(): Promise<unknown[] | undefined> {
    const answers = await this.#all("list", "");
    if (answers.length === 0) return undefined;
    return answers.flatMap(({ json }) =>
      json === undefined ? [] : JSON.parse(json)
    );
  }

  /** One backend's config as JSON; undefined where none of them knows it. */
  async config(id: string): Promise<string | undefined> {
    const answers = await this.#all("config", id);
    return answers.find(({ json }) =>
      json !== undefined && json !== "null" && json !== "{}"
    )?.json;
  }

  /** Done where one of them did it; undefined where none has an administrator. */
  async change(
    action: DialerAction,
    id: string,
  ): Promise<Administered["result"] | undefined> {
    const answers = await this.#all(action, id);
    // Done before nothing to do before failed: the numbers' own order.
    return answers.map(({ result }) => result).sort((a, b) => a - b)[0];
  }

  /** Asks every administrator. */
  async #all(
    action: AdministerAction,
    argument: string,
  ): Promise<Administered[]> {
    const source = this.#source;
    const answers = await Promise.all(
      source.config.clusters.filter((cluster) => !isOwn(cluster))
        .map(({ name }) => source.administer(name, action, argument)),
    );
    return answers.filter((answer) => answer !== undefined);
  }
}

function isOwn({ dialer }: { readonly dialer?: string | undefined }): boolean {
  return dialer === undefined;
}
