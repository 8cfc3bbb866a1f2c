/**
 * Objects that change twice a second and may be kept for one: what comes must
 * be whole, of one version, and of none that is too old.
 *
 * @module
 */
import { varies, VERSION, versioned } from "../backend.ts";
import {
  type Answer,
  type Client,
  UnexpectedError,
  WrongError,
} from "../client.ts";
import type { Head } from "../message_stream.ts";
import type { Kind } from "../user.ts";
import { KeptConnection, wanted } from "./connection.ts";

const HOST = "cache.test";
const NAMES = 120;

/**
 * Milliseconds that a version may be old: until it is replaced, a second fresh,
 * a second stale while it is fetched, and the time that a slow body takes.
 */
const MAX_AGE = VERSION + 2_000 + 3_000;

/** What is asked of an object. */
interface Asked {
  readonly name: string;
  readonly kind: string;
  readonly method?: string;
  readonly fields?: string;
}

/** Asks, and compares what comes with the version that it tells. */
async function ask(
  client: Client,
  { name, kind, method = "GET", fields = "" }: Asked,
): Promise<Answer & { readonly version: number }> {
  const began = Date.now();
  await client.send({
    method,
    host: HOST,
    target: `/versions/${name}`,
    fields: `X-Kind: ${kind}\r\n${fields}`,
  });
  const own = varies(name) ? kind : "";
  const answer = await client.seeded(method, (head) => {
    const { seed, length } = versioned(name, versionOf(head), own);
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(
      head.fields.get("content-range") ?? "",
    );
    if (range === null) return { seed, start: 0, end: length };
    if (Number(range[3]) !== length) {
      throw new WrongError(`A part of ${range[3]} bytes, not ${length}`);
    }
    return { seed, start: Number(range[1]), end: Number(range[2]) + 1 };
  });
  const version = versionOf(answer.head);
  if (
    (answer.status === 200 || answer.status === 206) &&
    version * VERSION < began - MAX_AGE
  ) {
    throw new WrongError(
      `${name} is ${began - version * VERSION} ms old: ${
        answer.head.fields.get("cache-status")
      }`,
    );
  }
  return { ...answer, version };
}

function versionOf({ fields }: Head): number {
  return Number(fields.get("x-version"));
}

/** Those that many ask for are fewer. */
const reads: Kind = {
  name: "cached",
  users: 8,
  rate: 15,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    return {
      async act() {
        const client = await connection.get();
        const name = `${Math.min(random.below(NAMES), random.below(NAMES))}`;
        const kind = `${random.below(3)}`;
        if (random.chance(0.02)) {
          // In the midst of what others may be waiting for.
          await client.send({ host: HOST, target: `/versions/${name}` });
          connection.end();
          return 0;
        }
        if (random.chance(0.2)) {
          const start = random.below(3_000);
          const end = random.chance(0.5) ? "" : start + random.below(9_000);
          const fields = `Range: bytes=${start}-${end}\r\n`;
          const answer = await ask(client, { name, kind, fields });
          // A body that ends before the range has none to give.
          if (answer.status === 416) return 0;
          return wanted(answer, answer.status === 206 ? 206 : 200).length;
        }
        const method = random.chance(0.05) ? "HEAD" : "GET";
        const answer = await ask(client, { name, kind, method });
        return wanted(answer, 200).length;
      },
      end: () => connection.end(),
    };
  },
};

/** Has an object forgotten, by a purge or as an unsafe method does; what comes next was made afterwards. */
const purges: Kind = {
  name: "cached, then forgotten",
  users: 2,
  rate: 2,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    return {
      async act() {
        const client = await connection.get();
        const name = `${random.below(NAMES)}`;
        const kind = `${random.below(3)}`;
        wanted(await ask(client, { name, kind }), 200);
        const purged = Math.floor(Date.now() / VERSION);
        const method = random.pick(["PURGE", "POST"]);
        const target = `/versions/${name}`;
        await client.send({ method, host: HOST, target });
        const { status } = await client.answer(method, () => () => {});
        // A purge of what is not there, or of what may not be stored.
        if (status !== 200 && status !== 404) {
          throw new UnexpectedError(`${method} was answered ${status}`);
        }
        const answer = wanted(await ask(client, { name, kind }), 200);
        if (answer.version < purged) {
          throw new WrongError(
            `${name} was forgotten by ${method} and came of version ${answer.version}, not ${purged}: ${
              answer.head.fields.get("cache-status")
            }`,
          );
        }
        return answer.length;
      },
      end: () => connection.end(),
    };
  },
};

/** Both kinds. */
export const CACHED: readonly Kind[] = [reads, purges];
