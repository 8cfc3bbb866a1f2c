/**
 * Bodies as web streams, for whoever works with those.
 *
 * @module
 */
import type { BodyReader } from "./body.ts";

/** A body as a web stream that reads on only when it is asked; `end` runs when it is over, `giveUp` where nobody wants the rest. */
export function streamOf(
  body: BodyReader,
  end: () => void,
  giveUp = end,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        if (!body.advance() && !await body.next() && !body.last) return;
        if (body.end > body.start) {
          controller.enqueue(
            new Uint8Array(body.bytes.subarray(body.start, body.end)),
          );
        }
        if (body.last) {
          end();
          controller.close();
        }
      } catch (thrown) {
        end();
        controller.error(thrown);
      }
    },
    cancel: giveUp,
  }, { highWaterMark: 0 });
}
