import type { MessageValve, PassMessage } from "../../../core/plugin.ts";
import { fakeProxySession, openValves } from "../../../core/testing.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

/** A valve that puts a letter behind each text. */
function letter(name: string): MessageValve {
  const append: PassMessage = (message) => ({
    type: 1,
    data: new TextEncoder().encode(
      new TextDecoder().decode(message.data) + name,
    ),
  });
  return { beforeTransmit: append, afterReceive: append };
}

Deno.test("openValves: messages pass in the order of sessions, each way", () => {
  const valves = openValves({
    valves: { addValves: () => [letter("a"), {}, letter("b")] },
  });
  assertEquals(valves.toBackend("x"), "xab");
  assertEquals(valves.toClient("x"), "xba");
});

Deno.test("openValves: bytes stay bytes, a discarded message goes no further", () => {
  const valves = openValves({
    valves: {
      addValves: () => [{
        beforeTransmit: (message) => message.type === 2 ? message : null,
      }, {
        beforeTransmit: (message) =>
          message.type === 2
            ? message
            : letter("never").beforeTransmit!(message),
      }],
    },
  });
  assertEquals(valves.toBackend("text"), null);
  assertEquals(
    valves.toBackend(new Uint8Array([1, 2])),
    new Uint8Array([1, 2]),
  );
});

Deno.test("openValves: a forgotten return and a missing provider are told of", () => {
  const forgotten = (() => {}) as unknown as PassMessage;
  const valves = openValves({
    valves: { addValves: () => [{ beforeTransmit: forgotten }] },
  });
  assertThrows(() => valves.toBackend("x"), TypeError, "undefined");
  assertEquals(valves.toClient("x"), "x");
  assertThrows(() => openValves({}), TypeError, "no valves");
});

Deno.test("openValves: a provider sees the session that the test gives", () => {
  const session = fakeProxySession();
  const seen: string[] = [];
  openValves({
    valves: {
      addValves: ({ id, backend, frontend }, current) => {
        seen.push(id, backend.backendId, frontend.frontendId);
        return current;
      },
    },
  }, session);
  assertEquals(seen, ["t1", "a1", "192-0-2-9-80"]);
});
