/**
 * WebSocket sessions in session mode as a process of its own: rounds of
 * numbered messages, backends of theirs that die and come back, and after each
 * round both ends' records compared.
 *
 * @module
 */
import {
  BackendFarm,
  type BackendProcess,
} from "../websocket_load/backend_process.ts";
import { countMessages, type Counts } from "../websocket_load/counts.ts";
import { RecordBook } from "../websocket_load/record_book.ts";
import { type BackendRecord, RECORD } from "../websocket_load/records.ts";
import { runTraffic } from "../websocket_load/traffic.ts";
import { lines } from "./lines.ts";
import { Random } from "./random.ts";

/** What the process is started with, as JSON. */
export interface WebSocketArguments {
  readonly seed: number;
  readonly sessions: number;
  /** Messages per second of each session. */
  readonly rate: number;
}

/** What the harness says, a line each. */
export type WebSocketCommand =
  /** The proxy serves there: rounds begin. */
  | { readonly port: number }
  /** The round under way is the last one. */
  | { readonly stop: true };

/** What it tells, a line each. */
export type WebSocketReport =
  | { readonly ports: readonly number[] }
  | { readonly round: Round };

/** A round and what it showed. */
export interface Round extends Counts {
  readonly happened: string;
  /** What nothing explains. */
  readonly problems: readonly string[];
}

/** Backends of the cluster. */
const BACKENDS = 3;

/** Seconds of a round. */
const SECONDS = 20;

/** Bytes of each message. */
const SIZE = 1_000;

/** What must be 0 whatever happens. */
const NEVER = [
  "upLost",
  "upReordered",
  "downLost",
  "downDuplicated",
  "downReordered",
] as const;

/** A crash may have messages sent twice and requests unanswered; a planned move, which a reload is, may not. */
const NEVER_CALM = ["upDuplicated", "unanswered"] as const;

const HAPPENINGS = ["nothing", "kill", "reset", "close", "kill"] as const;

type Happening = typeof HAPPENINGS[number];

async function main(options: WebSocketArguments): Promise<void> {
  const random = new Random(options.seed);
  const told = Promise.withResolvers<number>();
  let stopping = false;
  const hearing = (async () => {
    for await (const line of lines(Deno.stdin.readable)) {
      const command: WebSocketCommand = JSON.parse(line);
      if ("port" in command) told.resolve(command.port);
      else {
        stopping = true;
        return;
      }
    }
    // The harness is gone: so is this.
    Deno.exit(1);
  })();
  const backends = await Backends.start();
  tell({ ports: backends.ports });
  const port = await told.promise;
  for (let round = 0; !stopping; round++) {
    const happening = HAPPENINGS[round % HAPPENINGS.length]!;
    const { sessions, rate } = options;
    const book = backends.newBook();
    const evidence = await runTraffic(
      {
        port,
        sessions,
        rate,
        size: SIZE,
        seconds: SECONDS,
        book,
      },
      () => backends.happen(happening, random.below(BACKENDS)),
    );
    tell({ round: judge(happening, countMessages(evidence)) });
  }
  await hearing;
  await backends[Symbol.asyncDispose]();
}

function judge(happened: Happening, counts: Counts): Round {
  const calm = happened === "nothing";
  const zero = calm ? [...NEVER, ...NEVER_CALM] : NEVER;
  const problems = zero.filter((key) => counts[key] !== 0)
    .map((key) => `${key} ${counts[key]}`);
  if (counts.closed.length > 0) problems.push(`closed ${counts.closed}`);
  return { ...counts, happened, problems };
}

/** The backends of all rounds, at the same ports. */
class Backends implements AsyncDisposable {
  readonly ports: readonly number[];
  readonly #farm: BackendFarm;
  readonly #processes: BackendProcess[];
  readonly #books: Books;

  private constructor(
    farm: BackendFarm,
    processes: BackendProcess[],
    books: Books,
  ) {
    this.#farm = farm;
    this.#processes = processes;
    this.#books = books;
    this.ports = processes.map(({ port }) => port);
  }

  static async start(): Promise<Backends> {
    const books = new Books();
    const behaviour = { size: SIZE, think: 0, pushes: 0, echo: false };
    const farm = new BackendFarm(behaviour, (record) => books.add(record));
    const processes: BackendProcess[] = [];
    for (let i = 0; i < BACKENDS; i++) {
      const process = await farm.start();
      await process.listen();
      processes.push(process);
    }
    return new Backends(farm, processes, books);
  }

  /** What the next round is recorded in. */
  newBook(): RecordBook {
    return this.#books.next();
  }

  /** Does it to one of them. */
  async happen(happening: Happening, number: number): Promise<void> {
    const process = this.#processes[number]!;
    switch (happening) {
      case "nothing":
        return;
      case "reset":
        return await process.tell({ reset: true });
      case "close":
        return await process.tell({ close: 1012 });
      case "kill": {
        await process.kill();
        // It takes a moment of its own to be back.
        await this.#restart(number);
      }
    }
  }

  async #restart(number: number): Promise<void> {
    const process = await this.#farm.start();
    await process.listen(this.ports[number]!);
    this.#processes[number] = process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#farm[Symbol.asyncDispose]();
  }
}

/** A book for each round: what comes late is of none. */
class Books {
  #book = new RecordBook();
  readonly #connections = new Set<number>();

  next(): RecordBook {
    this.#connections.clear();
    return this.#book = new RecordBook();
  }

  add(record: BackendRecord): void {
    const { type, connection } = record;
    if (type === RECORD.opened) this.#connections.add(connection);
    if (this.#connections.has(connection)) this.#book.add(record);
  }
}

function tell(report: WebSocketReport): void {
  console.log(JSON.stringify(report));
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]!));
