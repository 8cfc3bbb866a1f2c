/** What backends are told of a hop. */
import type { Initiator } from "../../../core/listener/initiator.ts";
import {
  type ForwardedFacts,
  ForwardingFields,
} from "../../../core/session/forwarding.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const FACTS: ForwardedFacts = {
  host: "a.example:81",
  version: "1.1",
  chain: undefined,
  forwardedHost: "a.example:81",
  forwardedScheme: "http",
  tellsForwarded: true,
  tellsCertificate: false,
};

/** The forwarding fields of a session with this client. */
function fieldsOf(address: string, tls = false): ForwardingFields {
  const initiator = {
    remote: { address, port: 4711 },
    tls: tls ? {} : undefined,
  };
  return new ForwardingFields(initiator as Initiator, "headrace-test");
}

Deno.test("ForwardingFields tells the peer, how it came and to which host", () => {
  assertEquals([...fieldsOf("192.0.2.1").of(FACTS)], [
    ["x-forwarded-for", "192.0.2.1"],
    ["x-forwarded-proto", "http"],
    ["x-forwarded-host", "a.example:81"],
    ["forwarded", 'for=192.0.2.1;host="a.example:81";proto=http'],
    ["via", "1.1 headrace-test"],
  ]);
});

Deno.test("ForwardingFields leaves out what a peer has said, and tells its own hop's scheme", () => {
  const facts: ForwardedFacts = {
    ...FACTS,
    version: "1.0",
    host: undefined,
    chain: "192.0.2.9, unknown",
    forwardedHost: undefined,
    forwardedScheme: undefined,
  };
  assertEquals([...fieldsOf("2001:db8::1", true).of(facts)], [
    ["x-forwarded-for", "192.0.2.9, unknown, 2001:db8::1"],
    ["forwarded", 'for="[2001:db8::1]";proto=https'],
    ["via", "1.0 headrace-test"],
  ]);
  const silent = fieldsOf("192.0.2.1").of({ ...facts, tellsForwarded: false });
  assert(![...silent].some(([name]) => name === "forwarded"));
});

Deno.test("ForwardingFields are made once for as long as a client says the same", () => {
  const fields = fieldsOf("192.0.2.1");
  const first = fields.of(FACTS);
  assert(fields.of({ ...FACTS }) === first);
  const others: Partial<ForwardedFacts>[] = [
    { host: "b" },
    { version: "1.0" },
    { chain: "192.0.2.2" },
    { forwardedHost: "b" },
    { forwardedScheme: "https" },
    { tellsForwarded: false },
  ];
  for (const other of others) {
    const before = fields.of(FACTS);
    assert(fields.of({ ...FACTS, ...other }) !== before, JSON.stringify(other));
  }
});
