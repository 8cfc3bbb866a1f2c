/** Which listener an address's connections belong to, over reloads. */
import { Entrances } from "../../../core/data_plane/entrances.ts";
import { bindAddresses, bindKey } from "../../../core/listener/bind.ts";
import type { Initiator } from "../../../core/listener/initiator.ts";
import type { ListenerConfig } from "../../../core/config/config.ts";
import type { SessionHost } from "../../../core/session/host.ts";
import {
  type ListenerRuntime,
  Snapshot,
} from "../../../core/snapshot/snapshot.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

/** The parts of a listener that its address and its limits are. */
function config(name: string, port: number, connections: number) {
  return {
    name,
    address: { kind: "ip", hostname: "127.0.0.1", port, lastPort: port },
    limits: { connections },
    socket: { backlog: 10, noDelay: true, keepAlive: true },
  } as unknown as ListenerConfig;
}

function snapshotOf(...configs: ListenerConfig[]): Snapshot {
  const snapshot = new Snapshot({
    revision: 1,
    clusters: new Map(),
    dialers: new Map(),
    admins: new Map(),
    onUnused: () => {},
  });
  for (const config of configs) {
    const { name } = config;
    snapshot.addListener(
      { name, config, snapshot, protocol: "tcp" } as unknown as ListenerRuntime,
    );
  }
  return snapshot;
}

function setUp(...configs: ListenerConfig[]) {
  const host = { current: snapshotOf(...configs) };
  const entrances = new Entrances({
    host: host as unknown as SessionHost,
    frontend: () => undefined,
  });
  return { host, entrances };
}

Deno.test("Entrances: an address's limits are those of the current config", () => {
  const web = config("web", 8001, 100);
  const { host, entrances } = setUp(config("other", 8002, 7), web);
  const acceptor = entrances.at(bindKey(bindAddresses(web)[0]!));
  assertEquals(acceptor.rules().connections, 100);
  // Under another name, too.
  host.current = snapshotOf(config("renamed", 8001, 30));
  assertEquals(acceptor.rules().connections, 30);
  assertEquals(acceptor.serves(), true);
  host.current = snapshotOf(config("web", 8003, 30));
  assertEquals(acceptor.serves(), false);
  assertThrows(() => acceptor.rules(), RangeError, "127.0.0.1:8001");
});

Deno.test("Entrances: who enters by a listener's name needs one for http", () => {
  const { entrances } = setUp(config("web", 8001, 1));
  const initiator = {} as Initiator;
  assertThrows(
    () => entrances.enter(initiator, "web"),
    TypeError,
    'no http listener "web"',
  );
  assertThrows(
    () => entrances.enter(initiator, undefined),
    TypeError,
    "no http listener",
  );
});
