import { guardParts } from "../../../core/plugins/guard.ts";
import {
  guardConnection,
  guardValveList,
} from "../../../core/plugins/guard_websocket.ts";
import { PluginLoadError } from "../../../core/plugins/plugin_load_error.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

const PLACE = { use: "./p.js", name: "p" };

function refuses(parts: object, reason: string): void {
  const error = assertThrows(() => guardParts(parts, PLACE), PluginLoadError);
  assertEquals(error.code, "bad_parts");
  assertStringIncludes(error.message, reason);
}

const ADMINISTRATOR = Object.fromEntries(
  ["list", "add", "config", "disable", "enable", "delete", "reset"].map(
    (name) => [name, () => name],
  ),
);

Deno.test("guardParts: valves must be an object with addValves, which is not async", () => {
  refuses({ valves: () => [] }, "valves must be an object with addValves");
  refuses({ valves: [] }, "it is an array");
  refuses({ valves: {} }, "valves.addValves must be a function");
  refuses({ valves: { async addValves() {} } }, "must not be async");
});

Deno.test("guardParts: a sessionListener has at least one of its functions", () => {
  refuses({ sessionListener: {} }, "sessionCreated or sessionTerminated");
  refuses({ sessionListener: () => {} }, "a function is none");
  refuses(
    { sessionListener: { sessionCreated: 1 } },
    "sessionListener.sessionCreated must be a function: it is a number",
  );
});

Deno.test("guardParts: dialers have names that a config can say, and dialUpstream", () => {
  const dialUpstream = () => {};
  refuses({ dialers: [] }, "dialers must be an object of dialers by name");
  refuses({ dialers: { "a b": { dialUpstream } } }, `the dialer "a b"`);
  refuses({ dialers: { a: dialUpstream } }, "the dialer a must be an object");
  refuses({ dialers: { a: {} } }, "dialUpstream of the dialer a must be");
  refuses(
    { dialers: { a: { dialUpstream, administrator: true } } },
    "the administrator of the dialer a must be an object",
  );
  for (const name of Object.keys(ADMINISTRATOR)) {
    const { [name]: _, ...administrator } = ADMINISTRATOR;
    refuses(
      { dialers: { a: { dialUpstream, administrator } } },
      `${name} of the administrator of the dialer a must be a function`,
    );
  }
});

Deno.test("guardParts: what was checked is what runs, as the method that it is", () => {
  class Valves {
    valve = { beforeTransmit: () => null };
    addValves() {
      return [this.valve];
    }
  }
  class Listener {
    heard = 0;
    sessionCreated() {
      this.heard++;
    }
  }
  class Dialer {
    made = "connection";
    administrator = {
      ...ADMINISTRATOR,
      found: ["b1"],
      list() {
        return this.found;
      },
    };
    dialUpstream() {
      return this.made;
    }
  }
  const listener = new Listener();
  const dialer = new Dialer();
  const given = {
    valves: new Valves(),
    sessionListener: listener,
    dialers: { mine: dialer },
  };
  const { valves, sessionListener, dialers } = guardParts(given, PLACE);
  given.valves.addValves = () => [];
  given.dialers.mine.dialUpstream = () => "another";
  const session = {} as never;
  assertEquals(valves!.addValves(session, []).length, 1);
  sessionListener!.sessionCreated!(session);
  assertEquals(
    [listener.heard, sessionListener!.sessionTerminated],
    [1, undefined],
  );
  const mine = dialers!.mine!;
  assertEquals(mine.dialUpstream(session) as unknown, "connection");
  assertEquals(mine.administrator!.list(), ["b1"]);
  assert(Object.isFrozen(dialers) && Object.isFrozen(mine));
});

Deno.test("guardValveList: a list of objects with at least one direction", () => {
  const pass = () => null;
  const valves = [{ beforeTransmit: pass }, { afterReceive: pass, more: 1 }];
  const list = guardValveList(valves);
  assertEquals(list, valves);
  assert(list !== valves && Object.isFrozen(list));
  const wrong: [unknown, string][] = [
    [undefined, "it returned undefined"],
    [{ beforeTransmit: pass }, "it returned an object"],
    [[pass], "a function is none"],
    [[{}], "the valve 0"],
    [[valves[0], { beforeTransmitt: pass }], "the valve 1"],
    [[{ beforeTransmit: 1 }], "it is a number"],
    [[{ afterReceive: async () => {} }], "not async"],
  ];
  for (const [value, reason] of wrong) {
    assertThrows(() => guardValveList(value), TypeError, reason);
  }
});

Deno.test("guardConnection: what a connection must have", () => {
  const connection = {
    id: "c",
    backendId: "b",
    start: () => {},
    close: () => {},
  };
  const whole = { ...connection, subprotocol: "", additionalHeaders: [] };
  assert(guardConnection(whole) as unknown === whole);
  const wrong: [unknown, string][] = [
    [undefined, "it answered undefined"],
    [{ ...connection, id: undefined }, "id of what"],
    [{ ...connection, backendId: "" }, "it is empty"],
    [{ ...connection, start: undefined }, "start of what"],
    [{ ...connection, close: true }, "it is a boolean"],
    [{ ...connection, subprotocol: null }, "subprotocol of what"],
  ];
  for (const [value, reason] of wrong) {
    assertThrows(() => guardConnection(value), TypeError, reason);
  }
});
