import bcrypt from "bcryptjs";
import { apr1, parseHash, parseHtpasswd } from "../../plugins/htpasswd.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";

/** Made by `openssl passwd -apr1`. */
const APR1: readonly (readonly [string, string, string])[] = [
  ["myPassword", "lZL6V/ci", "sQw6g73nRuoOIj/gnD18Z."],
];

for (const [password, salt, hash] of APR1) {
  Deno.test(`apr1 of ${password} is Apache's`, () => {
    assertEquals(apr1(password, salt), hash);
  });
}

Deno.test("apr1 agrees with openssl for all lengths", async () => {
  for (const length of [0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 100]) {
    const password = "pä".repeat(60).slice(0, length);
    const { stdout, success } = await new Deno.Command("openssl", {
      args: ["passwd", "-apr1", "-salt", "ab.d", password],
    }).output();
    assert(success);
    const [, , , hash] = new TextDecoder().decode(stdout).trim().split("$");
    assertEquals(apr1(password, "ab.d"), hash, `${length}`);
  }
});

Deno.test("hashes of all kinds check their password and no other", async () => {
  const hashes = [
    bcrypt.hashSync("päss", 4),
    bcrypt.hashSync("päss", 4).replace("$2b$", "$2y$"),
    `$apr1$ab$${apr1("päss", "ab")}`,
  ];
  for (const text of hashes) {
    const hash = parseHash(text);
    assert(hash !== undefined, text);
    assertEquals(await hash.check("päss"), true, text);
    assertEquals(await hash.check("pässx"), false, text);
    assertEquals(await hash.check(""), false, text);
  }
  // As Apache's documentation has it.
  const sha = parseHash("{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=");
  assertEquals(await sha?.check("myPassword"), true);
  assertEquals(await sha?.check("mypassword"), false);
});

Deno.test("a bcrypt password of more than 72 bytes is wrong, not its begin", async () => {
  const hash = parseHash(bcrypt.hashSync("x".repeat(72), 4));
  assertEquals(await hash?.check("x".repeat(72)), true);
  assertEquals(await hash?.check("x".repeat(73)), false);
});

Deno.test("parseHtpasswd passes comments and empty lines", () => {
  const users = parseHtpasswd(
    "# staff\r\n\nalice:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\r\n",
  );
  assertEquals([...users.keys()], ["alice"]);
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["alice", "line 1: Expected user:hash"],
  [":x", "line 1: Expected user:hash"],
  ["a:plain", "line 1: Expected a hash of bcrypt"],
  ["# c\nbob:rqXexS6ZhobKA", "line 2: Expected a hash"],
  ["a:$2y$03$" + "x".repeat(53), "Expected a hash"],
  ["a:$6$salt$abc", "Expected a hash"],
  [
    "a:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\na:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=",
    "line 2: The user",
  ],
];
for (const [text, message] of REFUSED) {
  Deno.test(`parseHtpasswd refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
    const error = assertThrows(() => parseHtpasswd(text), SyntaxError);
    assertStringIncludes(error.message, message);
  });
}
