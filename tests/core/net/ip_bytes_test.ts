import { isIP } from "node:net";
import fc from "fast-check";
import {
  formatIp,
  mapIp,
  parseIp,
  unmapIp,
} from "../../../core/net/ip_bytes.ts";
import { assertEquals } from "../../support/assert.ts";

/** Each address with its canonical form (RFC 5952 §4, §5). */
const ADDRESSES: Readonly<Record<string, string>> = {
  "0.0.0.0": "0.0.0.0",
  "255.255.255.255": "255.255.255.255",
  "1.20.0.9": "1.20.0.9",
  "::": "::",
  "::1": "::1",
  "1::": "1::",
  "2001:DB8:0:0:0:0:0:1": "2001:db8::1",
  "2001:0db8::0001": "2001:db8::1",
  // One group of zeros is written, of two equal runs the first is left out.
  "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
  "2001:db8::1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
  "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
  "2001:0:0:1:0:0:0:1": "2001:0:0:1::1",
  "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
  "::2:3:4:5:6:7:8": "0:2:3:4:5:6:7:8",
  "::ffff:1.2.3.4": "::ffff:1.2.3.4",
  "::ffff:102:304": "::ffff:1.2.3.4",
  "0:0:0:0:0:FFFF:1.2.3.4": "::ffff:1.2.3.4",
  "::1.2.3.4": "::102:304",
  "64:ff9b::1.2.3.4": "64:ff9b::102:304",
  "1:2:3:4:5:6:1.2.3.4": "1:2:3:4:5:6:102:304",
};

for (const [text, canonical] of Object.entries(ADDRESSES)) {
  Deno.test(`parseIp() and formatIp(): ${text} is ${canonical}`, () => {
    assertEquals(formatIp(parseIp(text)!), canonical);
  });
}

const WRONG: readonly string[] = [
  ...["", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".2.3.4", "1..3.4"],
  ...["01.2.3.4", "1.2.3.04", "256.2.3.4", "1.2.3.1000", "0x1.2.3.4"],
  ...["1.2.3.4 ", "+1.2.3.4", "1.2.3.-4", "a.b.c.d", "1e1.2.3.4"],
  ...[":", ":::", "1:::2", "::1::", "1::2::3", ":1", "1:", "1:2:3:4:5:6:7:"],
  ...["1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4::5:6:7:8", "12345::"],
  ...["g::", "::1%eth0", "[::1]", "::1.2.3", "::01.2.3.4", "1.2.3.4::"],
  ...["::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4:80", "-1::", " ::1"],
];

for (const text of WRONG) {
  Deno.test(`parseIp() refuses ${JSON.stringify(text)}`, () => {
    assertEquals(parseIp(text), undefined);
  });
}

Deno.test("parseIp() and formatIp(): what one writes the other reads, as the URL standard does", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    // Many zeros: runs to leave out.
    fc.array(fc.constantFrom(0, 0, 0, 1, 255), {
      minLength: 16,
      maxLength: 16,
    }).map((all) => Uint8Array.from(all)),
  );
  fc.assert(fc.property(bytes, (bytes) => {
    const text = formatIp(bytes);
    assertEquals(parseIp(text), bytes);
    assertEquals(isIP(text), bytes.length === 4 ? 4 : 6);
    // The URL standard writes mapped addresses in groups, RFC 5952 §5 with dots.
    if (bytes.length === 4 || text.includes(".")) return;
    assertEquals(new URL(`http://[${text}]`).hostname, `[${text}]`);
  }));
});

Deno.test("parseIp() takes what node:net takes, but for zones", () => {
  const unit = fc.constantFrom(..."0012589afF.::");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 20 }), (text) => {
      assertEquals(parseIp(text) !== undefined, isIP(text) !== 0, text);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("mapIp() and unmapIp() are each other's inverse on IPv4", () => {
  const four = Uint8Array.of(1, 2, 3, 4);
  assertEquals(formatIp(mapIp(four)), "::ffff:1.2.3.4");
  assertEquals(unmapIp(mapIp(four)), four);
  assertEquals(unmapIp(four), four);
  const six = parseIp("::fffe:1.2.3.4")!;
  assertEquals([mapIp(six), unmapIp(six)], [six, six]);
  const compatible = parseIp("1::ffff:1.2.3.4")!;
  assertEquals(unmapIp(compatible), compatible);
});
