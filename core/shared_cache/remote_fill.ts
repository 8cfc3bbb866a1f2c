/**
 * A response on its way into another worker's store, which clients here read
 * while it comes.
 *
 * @module
 */
import type { ClientReader, OpenFill } from "../cache/fill.ts";
import type { StoredHead } from "../cache/store.ts";
import type { Asker } from "./asker.ts";
import type { Inflow } from "./inflow.ts";
import type { WireFill } from "./protocol.ts";
import { inflowOf, openInflow } from "./remote_entry.ts";

/** What an owner offered to one who waits. */
export class RemoteFill implements OpenFill {
  readonly head: StoredHead;
  readonly size: number | undefined;
  readonly serial: number;
  /** The owner says so when it is joined. */
  readonly open = true;
  readonly #asker: Asker;
  readonly #id: number;
  #inflow: Inflow | undefined;

  /** The claim's number. */
  constructor({ head, size, serial }: WireFill, asker: Asker, id: number) {
    this.head = head;
    this.size = size;
    this.serial = serial;
    this.#asker = asker;
    this.#id = id;
  }

  async join(): Promise<boolean> {
    this.#inflow = inflowOf(this.#asker, this.#id);
    const joined = await this.#asker.ask("join", {}, this.#id) === true;
    if (!joined) this.#asker.forget(this.#id);
    return joined;
  }

  read(start: number, end: number): ClientReader {
    if (start === 0 && end >= (this.size ?? Infinity)) return this.#inflow!;
    // A handler made it a request for a part.
    return openInflow(this.#asker, (id) => ({
      ask: "reread",
      id,
      claim: this.#id,
      start,
      end,
    }));
  }
}
