/**
 * Clients that leave in the midst of something, or hardly move.
 *
 * @module
 */
import { Client, headOf, UnexpectedError, WrongError } from "../client.ts";
import { CutError, isCut } from "../message_stream.ts";
import { ByteCheck } from "../seeded_bytes.ts";
import type { Kind } from "../user.ts";
import { pause } from "../user.ts";

const HOST = "calm.test";

/** Where a client leaves. */
const PLACES = ["nothing", "head", "upload", "answer", "waiting"] as const;

const leaving: Kind = {
  name: "client leaves",
  users: 6,
  rate: 2,
  user: ({ places, random }) => ({
    async act() {
      const target = random.pick([
        places.web,
        places.web,
        places.web,
        places.denoTls,
        places.nodeTls,
      ]);
      const client = await Client.connect(target);
      try {
        const { stream } = client;
        const length = random.between(100_000, 3 << 20);
        switch (random.pick(PLACES)) {
          case "nothing":
            break;
          case "head": {
            const head = headOf({ host: HOST, target: "/bytes/1/1" });
            await stream.write(head.slice(0, random.below(head.length)));
            break;
          }
          case "upload": {
            const body = { seed: 1, length, chunked: random.chance(0.5) };
            const host = random.pick([HOST, "buffer.test"]);
            const method = "POST";
            await stream.write(
              headOf({ method, host, target: "/upload/1", body }),
            );
            await client.sendBody(body, 0, random.below(length));
            break;
          }
          case "answer": {
            const query = random.pick(["", "c", "s"]);
            await client.send({
              host: HOST,
              target: `/bytes/1/${length}?${query}`,
            });
            const most = random.below(length);
            const check = new ByteCheck(1);
            await client.answer("GET", () => (piece) => {
              check.take(piece);
              if (check.place >= most) throw new CutError("enough");
            }).catch((thrown) => {
              if (!isCut(thrown)) throw thrown;
            });
            break;
          }
          case "waiting":
            await client.send({ host: HOST, target: `/bytes/1/${length}` });
        }
        // Some of what was written is still on its way.
        if (random.chance(0.5)) await pause(random.below(30));
        return 0;
      } finally {
        client.close();
      }
    },
  }),
};

/** Sends half a head, or none, and waits for what the proxy makes of it. */
const halfOpen: Kind = {
  name: "half a head",
  users: 5,
  rate: 1 / 4,
  user: ({ places, random }) => ({
    async act() {
      const client = await Client.connect(places.web);
      try {
        const silent = random.chance(0.5);
        if (!silent) {
          await client.stream.write(`GET / HTTP/1.1\r\nHost: ${HOST}`);
        }
        let status = 0;
        try {
          ({ status } = await client.answer("GET", () => () => {}));
        } catch (thrown) {
          if (!isCut(thrown)) throw thrown;
        }
        if (status !== 408 && status !== 0) {
          throw new UnexpectedError(`Half a head was answered ${status}`);
        }
        return 0;
      } finally {
        client.close();
      }
    },
  }),
};

/** Ends its direction behind a request, and still gets the answer. */
const halfClosed: Kind = {
  name: "half-closed",
  users: 1,
  rate: 3,
  user: ({ places, random }) => ({
    async act() {
      const client = await Client.connect(places.web);
      try {
        const seed = random.below(1 << 30);
        const length = random.between(0, 100_000);
        await client.send({ host: HOST, target: `/bytes/${seed}/${length}` });
        await client.stream.conn.closeWrite!();
        const answer = await client.seeded("GET", {
          seed,
          start: 0,
          end: length,
        });
        if (answer.status !== 200) {
          throw new UnexpectedError(`Status ${answer.status}, not 200`);
        }
        return answer.length;
      } finally {
        client.close();
      }
    },
  }),
};

/** Takes its time with every piece. */
const slow: Kind = {
  name: "slow reader",
  users: 3,
  rate: 1 / 5,
  user: ({ places, random }) => ({
    async act() {
      const client = await Client.connect(places.web);
      try {
        const seed = random.below(1 << 30);
        const length = 4 << 20;
        await client.send({ host: HOST, target: `/bytes/${seed}/${length}` });
        const check = new ByteCheck(seed);
        await client.answer("GET", () => async (piece) => {
          if (!check.take(piece)) throw new WrongError("Wrong bytes");
          await pause(20);
        });
        if (check.place !== length) {
          throw new WrongError(`${check.place} of ${length} bytes as if whole`);
        }
        return length;
      } finally {
        client.close();
      }
    },
  }),
};

/** Milliseconds in which it takes nothing. */
const STALL = 45_000;

/** Takes nothing at all, until the proxy has enough of it. */
const stalled: Kind = {
  name: "stalled reader",
  users: 2,
  rate: 1 / 60,
  user: ({ places }) => ({
    async act() {
      const client = await Client.connect(places.web);
      try {
        const length = 64 << 20;
        await client.send({ host: HOST, target: `/bytes/3/${length}` });
        // Beyond the listener's write timeout of 15 s, which begins when the
        // system's buffers are full: on a busy machine that takes seconds, too.
        await pause(STALL);
        try {
          await client.seeded("GET", { seed: 3, start: 0, end: length });
        } catch (thrown) {
          if (!isCut(thrown)) throw thrown;
          return 0;
        }
        throw new UnexpectedError("A reader that stalled was waited for");
      } finally {
        client.close();
      }
    },
  }),
};

/** All of them. */
export const RUDE: readonly Kind[] = [
  leaving,
  halfOpen,
  halfClosed,
  slow,
  stalled,
];
