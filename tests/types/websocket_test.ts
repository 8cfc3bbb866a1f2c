/**
 * What compiles as a plugin's part for WebSocket sessions and what must not:
 * checked by `deno check`, a `@ts-expect-error` without an error is one itself.
 *
 * @module
 */
import type {
  BackendAdministrator,
  BackendConnection,
  BackendDialer,
  FrontendConnection,
  MessageReceiver,
  MessageSender,
  MessageValve,
  Plugin,
  PluginParts,
  ProxySession,
  SessionListener,
  StartCloseIdentifier,
  ValveProvider,
  WsMessage,
} from "../../core/plugin.ts";
import { webSocketTools as ws } from "../../core/ws.ts";
import { assertEquals } from "../support/assert.ts";

const DATA = new Uint8Array(0);

Deno.test("valves: the message, a changed one or null compile", () => {
  const valves: MessageValve[] = [
    { beforeTransmit: (message) => message },
    { afterReceive: () => null },
    { beforeTransmit: ({ data }) => ({ type: 1, data }) },
    { beforeTransmit: (message) => ({ ...message, data: DATA }) },
    { afterReceive: ({ type, data }) => ({ type, data: data.slice(1) }) },
    {
      beforeTransmit: (message) => message.data.length > 9 ? null : message,
      afterReceive: (message) => message.type === 2 ? null : message,
    },
  ];
  assertEquals(valves.length, 6);
});

Deno.test("valves: undefined, promises and what is no message do not compile", () => {
  const valves: MessageValve[] = [
    // @ts-expect-error a forgotten return
    { beforeTransmit: () => {} },
    // @ts-expect-error one branch without a message
    { afterReceive: (message) => message.type === 1 ? message : undefined },
    // @ts-expect-error undefined is no message
    { beforeTransmit: () => undefined },
    // @ts-expect-error nobody waits
    { beforeTransmit: async (message) => await Promise.resolve(message) },
    // @ts-expect-error no boolean
    { beforeTransmit: () => true },
    // @ts-expect-error closures never pass valves
    { beforeTransmit: () => ({ type: 32 }) },
    // @ts-expect-error data is bytes
    { beforeTransmit: () => ({ type: 1, data: "text" }) },
    // @ts-expect-error no such direction
    { beforeReceive: (message: WsMessage) => message },
  ];
  assertEquals(valves.length, 8);
});

Deno.test("valves: a message is not changed in place but by its bytes", () => {
  const valve: MessageValve = {
    beforeTransmit: (message) => {
      message.data[0] = 1;
      // @ts-expect-error a message of its own is made instead
      message.data = DATA;
      return message;
    },
  };
  valve.beforeTransmit!({ type: 1, data: new Uint8Array(1) });
});

Deno.test("providers: they return the list, now", () => {
  const valve: MessageValve = { beforeTransmit: () => null };
  const providers: ValveProvider[] = [
    { addValves: (_session, current) => [...current, valve] },
    { addValves: () => [] },
    {
      addValves: (session, current) =>
        session.backend.subprotocol === "s1" ? [valve, ...current] : current,
    },
    // @ts-expect-error a forgotten return
    { addValves: () => {} },
    // @ts-expect-error a list, not a valve
    { addValves: () => valve },
    // @ts-expect-error nobody waits
    { addValves: async () => await Promise.resolve([]) },
    // @ts-expect-error others' list stays as it is
    { addValves: (_session, current) => (current.push(valve), current) },
  ];
  assertEquals(providers.length, 7);
});

Deno.test("listeners: sync and async ones, either event alone", () => {
  const listeners: SessionListener[] = [
    { sessionCreated: ({ id, backend }) => void `${id} ${backend.backendId}` },
    { sessionTerminated: async () => await Promise.resolve() },
    // @ts-expect-error no such event
    { sessionMoved: () => {} },
    // @ts-expect-error it hears of a session
    { sessionCreated: (session: string) => void session },
  ];
  assertEquals(listeners.length, 4);
});

Deno.test("dialers: a class, a sync function, an administrator", () => {
  class Connection implements BackendConnection {
    id = "c1";
    backendId = "b1";
    subprotocol = undefined;
    additionalHeaders = { "x-one": ["1", "2"] };
    start() {}
    async close() {
      await Promise.resolve();
    }
  }
  class Dialer implements BackendDialer {
    dialUpstream = () => new Connection();
  }
  const administrator: BackendAdministrator = {
    list: () => [],
    add: (json) => ({ json }),
    config: (id) => ({ id }),
    disable: () => ws.RESULT_SUCCESS,
    enable: () => Promise.resolve(ws.RESULT_NO_ACTION),
    delete: () => ws.RESULT_FAILED,
    // @ts-expect-error 1, 3 or 4
    reset: () => 2,
  };
  const dialers: BackendDialer[] = [
    new Dialer(),
    { dialUpstream: async () => await Promise.resolve(new Connection()) },
    { dialUpstream: new Dialer().dialUpstream, administrator },
    // @ts-expect-error a connection has an id
    { dialUpstream: () => ({ backendId: "b", start() {}, close() {} }) },
    // @ts-expect-error nothing is no connection
    { dialUpstream: () => undefined },
    {
      dialUpstream: ({ url, headers, oldConnection, signal, leaving }) => {
        headers.delete(ws.FORWARDED_FOR_HEADER);
        const offer: string | null = headers.get(ws.SUBPROTOCOL_HEADER);
        signal.throwIfAborted();
        if (leaving === "b1") throw ws.systemUnavailable("b1", url, 503);
        if (offer === null) throw ws.connectionDeclined("b1", "no", 401);
        return oldConnection ?? new Connection();
      },
    },
  ];
  assertEquals(dialers.length, 6);
});

Deno.test("channels: what comes and what may be sent", async () => {
  const send: MessageSender["send"] = () => Promise.resolve();
  const from: MessageReceiver = {
    receive: () => Promise.resolve(undefined),
    async *[Symbol.asyncIterator]() {},
  };
  for await (const item of from) {
    if (item.type === ws.NORMAL_CLOSURE) {
      const code: number | undefined = item.code;
      await send({ type: ws.NORMAL_CLOSURE, code });
      continue;
    }
    await send(item);
    // @ts-expect-error a backend is never told of an abnormal end
    assertEquals(item.type === ws.ABNORMAL_CLOSURE, false);
  }
  await send({ type: ws.ABNORMAL_CLOSURE, reason: "reset" });
  // @ts-expect-error no such type
  await send({ type: 9, data: DATA });
  // @ts-expect-error a message has data
  await send({ type: 1 });
  // @ts-expect-error data is bytes
  await send({ type: 1, data: "text" });
});

Deno.test("sessions: both sides are connections, the client's takes a code", () => {
  const close = (session: ProxySession, other: BackendConnection) => {
    const sides: StartCloseIdentifier[] = [session.frontend, session.backend];
    const frontend: FrontendConnection = session.frontend;
    frontend.close(4000, "bye");
    // @ts-expect-error nobody changes whom it is with
    session.backend = other;
    // @ts-expect-error a backend is closed as its dialer closes it
    session.backend.close(4000);
    return sides;
  };
  assertEquals(close.length, 2);
});

Deno.test("parts: a plugin may have all of them", () => {
  const plugin: Plugin = {
    name: "all",
    setup: ({ ws }): PluginParts => ({
      valves: { addValves: (_session, current) => current },
      sessionListener: { sessionCreated() {} },
      dialers: {
        mine: {
          dialUpstream: () => {
            throw ws.systemUnavailable("b", "down");
          },
        },
      },
    }),
  };
  assertEquals(plugin.name, "all");
});
