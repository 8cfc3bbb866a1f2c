/**
 * Requests that plugins change.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { UnexpectedError, WrongError } from "../client.ts";
import { seededBytes } from "../seeded_bytes.ts";
import type { Kind } from "../user.ts";
import { getBytes, KeptConnection, wanted } from "./connection.ts";

const HOST = "plugins.test";
const ORIGIN = "https://app.test";

/** Fields that plugins have to have set. */
function checkFields(fields: ReadonlyMap<string, string>, id: string): void {
  if (!/^[ab]$/.test(fields.get("x-soak") ?? "")) {
    throw new UnexpectedError("X-Soak is missing");
  }
  if (fields.get("x-request-id") !== id) {
    throw new WrongError(`X-Request-Id: ${fields.get("x-request-id")}`);
  }
  if (fields.get("access-control-allow-origin") !== ORIGIN) {
    throw new UnexpectedError("Access-Control-Allow-Origin is missing");
  }
}

/** As it is, or through transforms and async handlers. */
const plain: Kind = {
  name: "plugins",
  users: 4,
  rate: 15,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    return {
      async act() {
        const client = await connection.get();
        const id = `soak-${random.below(1 << 30)}`;
        const mode = random.pick(["", "X-Mode: async\r\n", "X-Mode: xor\r\n"]);
        const { head, length } = await getBytes(client, HOST, {
          seed: random.below(1 << 30),
          length: random.pick([0, 300, 20_000, 150_000]),
          query: random.pick(["", "c"]),
          fields: `Origin: ${ORIGIN}\r\nX-Request-Id: ${id}\r\n${mode}`,
        });
        checkFields(head.fields, id);
        return length;
      },
      end: () => connection.end(),
    };
  },
};

/** Compressed on the way. */
const compressed: Kind = {
  name: "compressed",
  users: 2,
  rate: 5,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    return {
      async act() {
        const client = await connection.get();
        const id = `soak-${random.below(1 << 30)}`;
        const seed = random.below(1 << 30);
        const length = random.between(5_000, 60_000);
        await client.send({
          host: HOST,
          target: `/bytes/${seed}/${length}`,
          fields:
            `Origin: ${ORIGIN}\r\nX-Request-Id: ${id}\r\nAccept-Encoding: gzip\r\n`,
        });
        const pieces: Uint8Array[] = [];
        const answer = await client.answer("GET", () => (piece) => {
          pieces.push(piece.slice());
        });
        wanted(answer, 200);
        const { fields } = answer.head;
        checkFields(fields, id);
        const whole = Buffer.concat(pieces);
        const body = fields.get("content-encoding") === "gzip"
          ? gunzipSync(whole)
          : whole;
        if (!body.equals(seededBytes(seed, length))) {
          throw new WrongError(`${body.length} other bytes than ${length}`);
        }
        return length;
      },
      end: () => connection.end(),
    };
  },
};

/** Preflights, which never come to a backend. */
const preflight: Kind = {
  name: "preflight",
  users: 1,
  rate: 3,
  user({ places }) {
    const connection = new KeptConnection(places.web);
    return {
      async act() {
        const client = await connection.get();
        const method = "OPTIONS";
        await client.send({
          method,
          host: HOST,
          target: "/bytes/1/1",
          fields: `Origin: ${ORIGIN}\r\nAccess-Control-Request-Method: PUT\r\n`,
        });
        wanted(await client.answer(method, () => () => {}), 204);
        return 0;
      },
      end: () => connection.end(),
    };
  },
};

/** All of them. */
export const WITH_PLUGINS: readonly Kind[] = [plain, compressed, preflight];
