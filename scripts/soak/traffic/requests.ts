/**
 * Requests as most clients send them.
 *
 * @module
 */
import { Client, type Target, UnexpectedError, WrongError } from "../client.ts";
import type { Random } from "../random.ts";
import type { Kind, Places } from "../user.ts";
import { getBytes, KeptConnection, wanted } from "./connection.ts";

/** Requests a second below which a connection may be idle for longer than listeners keep it. */
const SELDOM = 0.1;

/** GETs over connections that are kept. */
function gets(
  name: string,
  options: {
    readonly users: number;
    readonly rate: number;
    readonly host?: string;
    readonly mortal?: boolean;
    readonly length: (random: Random) => number;
    readonly target?: (places: Places) => Target;
  },
): Kind {
  const { users, rate, host = "calm.test", mortal = false } = options;
  const { length, target = ({ web }) => web } = options;
  return {
    name,
    users,
    rate,
    mortal,
    user({ places, random }) {
      const connection = new KeptConnection(target(places));
      return {
        async act() {
          const client = await connection.get();
          const { length: got } = await getBytes(client, host, {
            seed: random.below(1 << 30),
            length: length(random),
            query: random.pick(["", "", "c"]),
          });
          // Whoever comes that seldom would find it closed.
          if (rate < SELDOM) connection.end();
          return got;
        },
        end: () => connection.end(),
      };
    },
  };
}

const small = (random: Random) => random.between(0, 500);

/** Over a connection of its own, which it says or does. */
function onceEach(
  name: string,
  { users, rate, target }: {
    readonly users: number;
    readonly rate: number;
    readonly target: (places: Places) => Target;
  },
): Kind {
  return {
    name,
    users,
    rate,
    user: ({ places, random }) => ({
      async act() {
        const client = await Client.connect(target(places));
        try {
          const { length } = await getBytes(client, "calm.test", {
            seed: random.below(1 << 30),
            length: random.between(0, 20_000),
            query: random.pick(["", "c", "u"]),
            fields: random.chance(0.5) ? "Connection: close\r\n" : "",
          });
          return length;
        } finally {
          client.close();
        }
      },
    }),
  };
}

/** Up to eight requests in one write, answered in their order. */
const pipelined: Kind = {
  name: "pipelined",
  users: 2,
  rate: 5,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    return {
      async act() {
        const client = await connection.get();
        const asked = Array.from({ length: random.between(2, 8) }, () => ({
          seed: random.below(1 << 30),
          length: random.between(0, 5_000),
        }));
        await client.stream.write(
          asked.map(({ seed, length }) =>
            `GET /bytes/${seed}/${length} HTTP/1.1\r\nHost: calm.test\r\n\r\n`
          ).join(""),
        );
        let sum = 0;
        for (const { seed, length } of asked) {
          const answer = await client.seeded("GET", {
            seed,
            start: 0,
            end: length,
          });
          sum += wanted(answer, 200).length;
        }
        return sum;
      },
      end: () => connection.end(),
    };
  },
};

/** HEAD, 304, ranges, heads before the head. */
const conditional: Kind = {
  name: "HEAD, 304, 206, 103",
  users: 4,
  rate: 20,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    const host = "calm.test";
    return {
      async act() {
        const client = await connection.get();
        const seed = random.below(1 << 30);
        const length = random.between(1, 40_000);
        const target = `/bytes/${seed}/${length}`;
        const whole = { seed, start: 0, end: length };
        switch (random.below(4)) {
          case 0: {
            const method = "HEAD";
            const { head } = await getBytes(client, host, {
              ...whole,
              length,
              method,
            });
            if (head.fields.get("content-length") !== `${length}`) {
              throw new WrongError("HEAD with another length");
            }
            return 0;
          }
          case 1: {
            const fields = `If-None-Match: "${seed}-${length}"\r\n`;
            await client.send({ host, target, fields });
            wanted(await client.seeded("GET", whole), 304);
            return 0;
          }
          case 2: {
            const start = random.below(length);
            const end = random.between(start + 1, length);
            const fields = `Range: bytes=${start}-${end - 1}\r\n`;
            await client.send({ host, target, fields });
            const part = { seed, start, end };
            const answer = wanted(await client.seeded("GET", part), 206);
            const said = `bytes ${start}-${end - 1}/${length}`;
            if (answer.head.fields.get("content-range") !== said) {
              throw new WrongError("Another range than was asked for");
            }
            return answer.length;
          }
          default: {
            const query = "i";
            const answer = await getBytes(client, host, {
              ...whole,
              length,
              query,
            });
            if (answer.interim !== 2) {
              throw new UnexpectedError(`${answer.interim} interim heads of 2`);
            }
            return answer.length;
          }
        }
      },
      end: () => connection.end(),
    };
  },
};

/** All of them. */
export const REQUESTS: readonly Kind[] = [
  gets("GET small", { users: 6, rate: 40, length: small }),
  gets("GET 16 KB", { users: 3, rate: 20, length: () => 16 << 10 }),
  gets("GET 1 MB", { users: 2, rate: 1.5, length: () => 1 << 20 }),
  gets("GET 100 MB", { users: 1, rate: 1 / 60, length: () => 100 << 20 }),
  gets("GET from mortals", {
    users: 6,
    rate: 20,
    host: "mortal.test",
    mortal: true,
    length: (random) => random.pick([200, 5_000, 200_000]),
  }),
  gets("GET queued for slots", {
    users: 8,
    rate: 5,
    host: "slots.test",
    length: (random) => random.pick([200, 100_000]),
  }),
  gets("GET from a TLS backend", {
    users: 2,
    rate: 10,
    host: "secure.test",
    length: (random) => random.pick([200, 50_000]),
  }),
  gets("TLS keep-alive (Deno)", {
    users: 3,
    rate: 15,
    target: ({ denoTls }) => denoTls,
    length: (random) => random.pick([100, 16_000, 200_000]),
  }),
  gets("TLS keep-alive (node)", {
    users: 3,
    rate: 15,
    target: ({ nodeTls }) => nodeTls,
    length: (random) => random.pick([100, 16_000, 200_000]),
  }),
  onceEach("a connection each", {
    users: 4,
    rate: 10,
    target: ({ web }) => web,
  }),
  onceEach("TLS handshake each (Deno)", {
    users: 2,
    rate: 3,
    target: ({ denoTls }) => denoTls,
  }),
  onceEach("TLS handshake each (node)", {
    users: 2,
    rate: 3,
    target: ({ nodeTls }) => nodeTls,
  }),
  pipelined,
  conditional,
];
