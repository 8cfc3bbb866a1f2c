/**
 * The Forwarded field, both ways.
 *
 * @module
 */
import fc from "fast-check";
import {
  formatForwarded,
  formatNode,
  nodeAddress,
  parseForwarded,
} from "../../../core/message/forwarded_field.ts";
import { assert, assertEquals } from "../../support/assert.ts";

/** What is parsed, as entries. */
function parsed(field: string): [string, string][][] | undefined {
  return parseForwarded(field)?.map((element) => [...element]);
}

/** Fields with their elements; the first ones are RFC 7239's own (§4, §7.1). */
const READ: Readonly<Record<string, [string, string][][]>> = {
  'for="_gazonk"': [[["for", "_gazonk"]]],
  'For="[2001:db8:cafe::17]:4711"': [[["for", "[2001:db8:cafe::17]:4711"]]],
  "for=192.0.2.60;proto=http;by=203.0.113.43": [[
    ["for", "192.0.2.60"],
    ["proto", "http"],
    ["by", "203.0.113.43"],
  ]],
  "for=192.0.2.43, for=198.51.100.17": [
    [["for", "192.0.2.43"]],
    [["for", "198.51.100.17"]],
  ],
  'for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown': [
    [["for", "192.0.2.43"]],
    [["for", "[2001:db8:cafe::17]"]],
    [["for", "unknown"]],
  ],
  "for=_hidden, for=_SEVKISEK": [[["for", "_hidden"]], [["for", "_SEVKISEK"]]],
  // Lists may have empty elements (RFC 9110 §5.6.1), elements empty pairs (§4).
  "": [],
  " ,\t, ": [],
  ";;": [],
  ", for=a ,, ;for=b; ,": [[["for", "a"]], [["for", "b"]]],
  "for=a ;\tproto=http": [[["for", "a"], ["proto", "http"]]],
  'a="b\\"c\\\\d,e;f=g"': [[["a", 'b"c\\d,e;f=g']]],
  'a=""': [[["a", ""]]],
  'a="\xe9\t "': [[["a", "\xe9\t "]]],
};

for (const [field, elements] of Object.entries(READ)) {
  Deno.test(`parseForwarded reads ${JSON.stringify(field)}`, () => {
    assertEquals(parsed(field), elements);
  });
}

const REFUSED = [
  "for",
  "for=",
  "=a",
  "for =a",
  "for= a",
  "for=a b",
  "for=a for=b",
  "for=192.0.2.43:80",
  "for=[::1]",
  "for=2001:db8::1",
  'for="a',
  'for="a\\"',
  'for="a"b',
  'for="a\x00"',
  'for="a\x7f"',
  'for="a\\\x01"',
  "for=a;for=b",
  "for=a;FOR=b",
  "f(r=a",
  "for=\xe9",
];

for (const field of REFUSED) {
  Deno.test(`parseForwarded refuses ${JSON.stringify(field)}`, () => {
    assertEquals(parsed(field), undefined);
  });
}

const NODES: Readonly<Record<string, string | undefined>> = {
  "192.0.2.1": "192.0.2.1",
  "192.0.2.1:80": "192.0.2.1",
  "192.0.2.1:_port": "192.0.2.1",
  "[2001:db8::1]": "2001:db8::1",
  "[2001:DB8::1]:4711": "2001:DB8::1",
  "[::ffff:192.0.2.1]:_p.-": "::ffff:192.0.2.1",
  unknown: undefined,
  "unknown:80": undefined,
  _hidden: undefined,
  "": undefined,
  "192.0.2": undefined,
  "192.0.2.300": undefined,
  "192.0.2.1:": undefined,
  "192.0.2.1:123456": undefined,
  "192.0.2.1:x": undefined,
  "2001:db8::1": undefined,
  "[192.0.2.1]": undefined,
  "[2001:db8::1": undefined,
  "[fe80::1%eth0]": undefined,
  "localhost": undefined,
};

for (const [node, address] of Object.entries(NODES)) {
  Deno.test(`nodeAddress of ${JSON.stringify(node)}`, () => {
    assertEquals(nodeAddress(node), address);
  });
}

const token = fc.string({
  unit: fc.constantFrom(..."abcXYZ019!#$%&'*+.^_`|~-"),
  minLength: 1,
});
const text = fc.string({ unit: fc.constantFrom(...' \t"\\,;=:[]ab\xe9~') });

Deno.test("parseForwarded reads what formatForwarded writes", () => {
  const name = token.map((name) => name.toLowerCase());
  const element = fc.uniqueArray(fc.tuple(name, fc.oneof(token, text)), {
    selector: ([name]) => name,
    minLength: 1,
  });
  fc.assert(
    fc.property(fc.array(element), fc.constantFrom(",", ", ", ",,\t"), (
      elements,
      comma,
    ) => {
      const field = elements.map((each) => formatForwarded(new Map(each)))
        .join(comma);
      assertEquals(parsed(field), elements);
    }),
  );
});

Deno.test("nodeAddress reads what formatNode writes, with any port", () => {
  const port = fc.constantFrom("", ":80", ":_x");
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (address, port) => {
      assertEquals(nodeAddress(formatNode(address) + port), address);
    }),
  );
  assertEquals(nodeAddress(formatNode("")), undefined);
});

Deno.test("parseForwarded takes time that is linear in the field", () => {
  const time = (length: number) => {
    const fields = ['for="', "for=a,", "\\", '"', ";", " "]
      .map((part) => `for="a";x=${part.repeat(length)}`);
    const start = performance.now();
    for (const field of fields) parseForwarded(field);
    return performance.now() - start;
  };
  time(1_000);
  const times = Array.from({ length: 5 }, () => time(100_000));
  // Quadratic work would take minutes.
  assert(Math.min(...times) < 1_000, `${times} ms`);
});
