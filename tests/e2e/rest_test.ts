import { assert, assertEquals } from "../support/assert.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { withV8Flags } from "../support/v8_flags.ts";

/** Collects all garbage once no session is left. */
const COLLECTOR = dataPlugin(`
let timer;
export default {
  name: "collector",
  setup: () => ({
    handlers: {
      finish() {
        clearTimeout(timer);
        timer = setTimeout(() => {
          gc();
          console.log("Garbage was collected");
        }, 300);
      },
    },
    close: () => clearTimeout(timer),
  }),
};`);

/** Whose compiled code a proxy drops at rest, after clients have asked. */
async function dropped(
  listener: string,
  ask: (port: number) => Promise<void>,
  plugins: readonly string[] = [],
): Promise<string[]> {
  const told = await withV8Flags({
    // A collection drops hidden classes then as that of a V8 at rest does.
    flags: ["--expose-gc", "--trace-deopt", "--retain-maps-for-n-gc=0"],
    listener,
    plugins: [`{ use: "${COLLECTOR}" }`, ...plugins],
  }, async (proxy, port) => {
    await ask(port);
    await proxy.wrote("Garbage was collected");
    return proxy.stdout;
  });
  return told.matchAll(
    /<SharedFunctionInfo ([^>]+)>.*embedded weak objects cleared/g,
  ).map(([, name]) => name!).toArray();
}

/** Without specimens they are 134 to 180; what is compiled at all differs from run to run. */
function assertFew(functions: readonly string[]): void {
  assert(functions.length < 10, functions.join(", "));
}

const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

const buffer = new Uint8Array(4096);

async function askOften(port: number): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  for (let i = 0; i < 5_000; i++) {
    await conn.write(REQUEST);
    await conn.read(buffer);
  }
}

Deno.test("memory: compiled code of a request outlives a rest", async () => {
  assertFew(await dropped("protocol: http", askOften));
});

Deno.test("memory: and that of plugins on its way", async () => {
  const plugins = [
    '{ use: "builtin:access-log", options: { format: combined, path: /dev/null } }',
    '{ use: "builtin:headers", options: { request: { set: { X: "%{client_address}" } }, response: { remove: [ETag] } } }',
  ];
  assertFew(await dropped("protocol: http", askOften, plugins));
});

async function connectOften(port: number): Promise<void> {
  for (let i = 0; i < 3_000; i++) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(REQUEST);
    await conn.read(buffer);
  }
}

Deno.test("memory: and that of a client's connection", async () => {
  assertFew(await dropped("protocol: http", connectOften));
});

Deno.test("memory: and that of a relay, but for what dials", async () => {
  const functions = new Set(
    await dropped("protocol: tcp, cluster: one", connectOften),
  );
  for (const name of ["Session", "Socket", "Relay", "Direction", "#pass"]) {
    assertEquals(functions.has(name), false, name);
  }
});
