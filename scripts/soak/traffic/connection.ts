/**
 * A client's connection that is made anew where it has ended.
 *
 * @module
 */
import {
  type Answer,
  Client,
  type Expected,
  type Target,
  UnexpectedError,
} from "../client.ts";

/** Keeps one connection. */
export class KeptConnection {
  readonly #target: Target;
  #client: Client | undefined;

  constructor(target: Target) {
    this.#target = target;
  }

  /** The connection, or a new one. */
  async get(): Promise<Client> {
    if (this.#client?.closed !== false) {
      this.#client = await Client.connect(this.#target);
    }
    return this.#client;
  }

  /** Ends it; the next one is another. */
  end(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

/** Asks for the bytes of a path and reads them; its length is compared. */
export async function getBytes(
  client: Client,
  host: string,
  { seed, length, query = "", method = "GET", fields = "" }: {
    readonly seed: number;
    readonly length: number;
    readonly query?: string;
    readonly method?: string;
    readonly fields?: string;
  },
): Promise<Answer> {
  await client.send({
    method,
    host,
    target: `/bytes/${seed}/${length}?${query}`,
    fields,
  });
  const expected: Expected = { seed, start: 0, end: length };
  return wanted(await client.seeded(method, expected), 200);
}

/** The answer, where it has this status. */
export function wanted<T extends Answer>(answer: T, status: number): T {
  if (answer.status !== status) {
    throw new UnexpectedError(`Status ${answer.status}, not ${status}`);
  }
  return answer;
}
