/**
 * Backends that misbehave: their clients must hear of it, and never take a part
 * for the whole.
 *
 * @module
 */
import { FAULTS } from "../backend.ts";
import { UnexpectedError, WrongError } from "../client.ts";
import { isCut } from "../message_stream.ts";
import { ByteCheck } from "../seeded_bytes.ts";
import type { Kind } from "../user.ts";
import { KeptConnection } from "./connection.ts";

/** What Headrace may say of a backend that fails. */
const SAID = [502, 503, 504];

const faulty: Kind = {
  name: "faulty backend",
  users: 4,
  rate: 2,
  user({ places, random }) {
    const connection = new KeptConnection(places.web);
    return {
      async act() {
        const client = await connection.get();
        const fault = random.pick(FAULTS);
        const whole = fault === "short" || fault === "reset-body";
        const method = fault.startsWith("reset") ? "POST" : "GET";
        const check = new ByteCheck(1);
        let right = true;
        let status = 0;
        try {
          await client.send({
            method,
            host: "faulty.test",
            target: `/fault/${fault}`,
            ...(method === "POST" && {
              body: { seed: 2, length: 60_000, chunked: false },
            }),
          });
          await client.answer(method, (_, said) => {
            status = said;
            return (piece) => {
              if (whole && said === 200) right &&= check.take(piece);
            };
          });
        } catch (thrown) {
          if (!isCut(thrown)) throw thrown;
          // Cut by framing: as it should be, once its head is out.
          connection.end();
          if (!right) throw new WrongError(`${fault}: wrong bytes`);
          return 0;
        }
        if (status === 200) {
          throw new WrongError(`${fault}: a part came as if it were all`);
        }
        if (!SAID.includes(status)) {
          throw new UnexpectedError(`${fault}: status ${status}`);
        }
        return 0;
      },
      end: () => connection.end(),
    };
  },
};

/** All of them. */
export const FAULTY: readonly Kind[] = [faulty];
