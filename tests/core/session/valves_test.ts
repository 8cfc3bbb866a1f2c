import type {
  MessageValve,
  ProxySession,
  ValveProvider,
  WsMessage,
} from "../../../core/plugin.ts";
import {
  gatherValves,
  type ValveEvents,
} from "../../../core/session/valves.ts";
import type { BoundPart } from "../../../core/session/websocket_parts.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { bytesOf, textOf } from "../../support/byte_streams.ts";

const SESSION = { id: "s" } as ProxySession;

const NOBODY: ValveEvents = {
  providerFailed: () => {},
  valveFailed: () => {},
};

function provider(
  plugin: string,
  addValves: ValveProvider["addValves"],
): BoundPart<ValveProvider> {
  return { plugin, onError: "ignore", part: { addValves } };
}

Deno.test("gatherValves: a direction without a valve has no gate", () => {
  const pass = (message: WsMessage) => message;
  const cases: [MessageValve[], boolean, boolean][] = [
    [[], false, false],
    [[{ beforeTransmit: pass }], true, false],
    [[{ afterReceive: pass }], false, true],
    [[{ afterReceive: pass }, { beforeTransmit: pass }], true, true],
  ];
  for (const [valves, up, down] of cases) {
    const { transmit, receive } = gatherValves(
      [provider("p", () => valves)],
      SESSION,
      NOBODY,
    );
    assertEquals([transmit !== undefined, receive !== undefined], [up, down]);
  }
});

Deno.test("gatherValves: each provider gets what the ones before made, and no way to change it", () => {
  const first: MessageValve = { beforeTransmit: () => null };
  const second: MessageValve = { beforeTransmit: () => null };
  const seen: (readonly MessageValve[])[] = [];
  gatherValves(
    [
      provider("a", (session, current) => {
        assert(session === SESSION);
        seen.push(current);
        return [first];
      }),
      provider("b", (_session, current) => {
        seen.push(current);
        return [second, ...current];
      }),
      provider("c", (_session, current) => {
        seen.push(current);
        return [];
      }),
    ],
    SESSION,
    NOBODY,
  );
  assertEquals(seen, [[], [first], [second, first]]);
  assert(seen.every((list) => Object.isFrozen(list)));
});

Deno.test("gatherValves: a failure is told of the plugin that brought the valve, wherever it stands", () => {
  const failing = (): MessageValve => ({
    beforeTransmit: () => {
      throw new Error("a bug");
    },
  });
  const told: [string, string, boolean][] = [];
  const { transmit } = gatherValves(
    [
      provider("a", () => [failing()]),
      provider("b", (_session, current) => [failing(), ...current]),
    ],
    SESSION,
    {
      ...NOBODY,
      valveFailed: (plugin, point, _thrown, first) =>
        told.push([plugin, point, first]),
    },
  );
  assertEquals(transmit!(1, bytesOf("x")), null);
  assertEquals(transmit!(1, bytesOf("x")), null);
  assertEquals(told, [
    ["b", "beforeTransmit", true],
    ["b", "beforeTransmit", false],
  ]);
});

Deno.test("gates: a valve is called as the method that it is, and with bytes of its own", () => {
  class Counter implements MessageValve {
    count = 0;
    beforeTransmit(message: WsMessage): WsMessage {
      this.count++;
      message.data[0] = 65;
      return message;
    }
  }
  const counter = new Counter();
  const { transmit } = gatherValves(
    [provider("p", () => [counter, counter])],
    SESSION,
    NOBODY,
  );
  const buffer = bytesOf("xyz others'");
  const passed = transmit!(2, buffer.subarray(0, 3));
  assertEquals([passed!.type, textOf(passed!.data)], [2, "Ayz"]);
  assertEquals(passed!.data.buffer.byteLength, 3);
  assertEquals([counter.count, textOf(buffer)], [2, "xyz others'"]);
});
