/**
 * Requests with bodies.
 *
 * @module
 */
import {
  type Client,
  UnexpectedError,
  type Upload,
  WrongError,
} from "../client.ts";
import type { Kind } from "../user.ts";
import { KeptConnection, wanted } from "./connection.ts";

/** Sends a body to where it is compared. */
async function upload(
  client: Client,
  host: string,
  body: Upload,
): Promise<number> {
  const { seed, length } = body;
  const method = "POST";
  await client.send({ method, host, target: `/upload/${seed}`, body });
  const answer = wanted(await client.answer(method, () => () => {}), 200);
  const taken = answer.head.fields.get("x-taken");
  if (taken !== `right ${length}`) {
    throw new WrongError(`The backend got ${taken} of ${length}`);
  }
  return length;
}

function uploads(
  name: string,
  { users, rate, host, mortal = false }: {
    readonly users: number;
    readonly rate: number;
    readonly host: string;
    readonly mortal?: boolean;
  },
): Kind {
  return {
    name,
    users,
    rate,
    mortal,
    user({ places, random }) {
      const connection = new KeptConnection(places.web);
      return {
        act: async () =>
          await upload(await connection.get(), host, {
            seed: random.below(1 << 30),
            length: random.pick([0, 1, 700, 30_000, 200_000, 1 << 20]),
            chunked: random.chance(0.5),
          }),
        end: () => connection.end(),
      };
    },
  };
}

/** Waits for a 100 before its body. */
const expecting: Kind = {
  name: "upload behind a 100",
  users: 1,
  rate: 4,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    return {
      act: async () =>
        await upload(await connection.get(), "calm.test", {
          seed: random.below(1 << 30),
          length: random.between(1, 60_000),
          chunked: random.chance(0.5),
          expect: true,
        }),
      end: () => connection.end(),
    };
  },
};

/** The body comes back while it is still sent. */
const echoed: Kind = {
  name: "upload echoed",
  users: 2,
  rate: 2,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    return {
      async act() {
        const client = await connection.get();
        const seed = random.below(1 << 30);
        const length = random.between(1, 400_000);
        const method = "POST";
        const [, answer] = await Promise.all([
          client.send({
            method,
            host: "calm.test",
            target: "/echo",
            body: { seed, length, chunked: random.chance(0.5) },
          }),
          client.seeded(method, { seed, start: 0, end: length }),
        ]);
        if (answer.status !== 200) {
          throw new UnexpectedError(`Status ${answer.status}, not 200`);
        }
        return answer.length;
      },
      end: () => connection.end(),
    };
  },
};

/** All of them. */
export const UPLOADS: readonly Kind[] = [
  uploads("upload", { users: 3, rate: 3, host: "calm.test" }),
  uploads("upload to mortals", {
    users: 2,
    rate: 3,
    host: "mortal.test",
    mortal: true,
  }),
  uploads("upload, buffered", { users: 2, rate: 3, host: "buffer.test" }),
  expecting,
  echoed,
];
