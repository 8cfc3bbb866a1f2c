/** What backends are told of a hop. */
import type { Initiator } from "../../../core/listener/initiator.ts";
import {
  type ForwardedFacts,
  ForwardingFields,
  KnownClients,
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
function fieldsOf(
  address: string,
  tls = false,
  known?: KnownClients,
): ForwardingFields {
  const initiator = {
    remote: { address, port: 4711 },
    tls: tls ? {} : undefined,
  };
  return new ForwardingFields(initiator as Initiator, "headrace-test", known);
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

Deno.test("ForwardingFields are made once for all connections of a client that says the same", () => {
  const known = new KnownClients();
  const first = fieldsOf("192.0.2.1", false, known).of(FACTS);
  const again = (address: string, facts = FACTS, tls = false) =>
    fieldsOf(address, tls, known).of({ ...facts });
  assert(again("192.0.2.1") === first);
  assert(again("192.0.2.2") !== first);
  const secure = again("192.0.2.1", FACTS, true);
  assertEquals([...secure].at(3), [
    "forwarded",
    'for=192.0.2.1;host="a.example:81";proto=https',
  ]);
  assert(again("192.0.2.1", FACTS, true) === secure);
  const other = again("192.0.2.1", { ...FACTS, host: "b" });
  assertEquals([...other].at(3), [
    "forwarded",
    "for=192.0.2.1;host=b;proto=http",
  ]);
  assert(again("192.0.2.1", { ...FACTS, host: "b" }) === other);
});

Deno.test("KnownClients: what a client shows in its TLS handshake is that connection's", () => {
  const known = new KnownClients();
  const facts = { ...FACTS, tellsCertificate: true };
  const shown = fieldsOf("192.0.2.1", true, known).of(facts);
  assertEquals(known.said("192.0.2.1"), undefined);
  assert(fieldsOf("192.0.2.1", true, known).of(facts) !== shown);
});

Deno.test("KnownClients: neither many clients nor long words are held", () => {
  const known = new KnownClients();
  const fill = (address: string, facts = FACTS) => {
    fieldsOf(address, false, known).of(facts);
    return known.said(address) !== undefined;
  };
  assert(!fill("192.0.2.1", { ...FACTS, host: "h".repeat(262) }));
  assert(!fill("192.0.2.1", { ...FACTS, chain: "192.0.2.9" }));
  const addresses = Array.from(
    { length: 1_001 },
    (_, i) => `10.0.${i >> 8}.${i & 255}`,
  );
  for (const address of addresses) assert(fill(address));
  assertEquals(known.said("10.0.0.0"), undefined);
});
