/**
 * A plugin as its users write them, for the soak: what it changes it changes
 * back, some handlers wait.
 *
 * @module
 */
import type { Plugin } from "../../core/plugin.ts";

/** Each byte by a key: twice the same leaves it as it was. */
function xor(key: number): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      const changed = new Uint8Array(chunk.length);
      for (let i = 0; i < chunk.length; i++) changed[i] = chunk[i]! ^ key;
      controller.enqueue(changed);
    },
  });
}

export default {
  name: "soak",
  setup: ({ options }) => ({
    handlers: {
      afterLocation: ({ headers, transaction }) => {
        if (headers.get("x-mode") !== "xor") return;
        transaction.transformResponse(xor(options.key));
        transaction.transformResponse(xor(options.key));
      },
      foundProduct: ({ headers }) => {
        if (headers.get("x-mode") !== "async") return undefined;
        return new Promise<undefined>((resolve) =>
          setTimeout(() => resolve(undefined), 1)
        );
      },
    },
  }),
} satisfies Plugin<{ key: number }>;
