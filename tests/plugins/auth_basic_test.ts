import bcrypt from "bcryptjs";
import authBasic from "../../plugins/auth_basic.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import {
  answerOf,
  checkOptions,
  fakeRequest,
  OptionsError,
  type RunningPlugin,
  startPlugin,
} from "../../core/testing/views.ts";

const ALICE = `alice:${bcrypt.hashSync("wonder", 4)}`;
const SHA = "bob:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=";

function basic(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** The status of a refusal, 0 for none. */
async function ask(
  { handlers, clock }: RunningPlugin,
  authorization: string | undefined,
  headers: Readonly<Record<string, string>> = {},
) {
  const request = fakeRequest({
    headers: {
      ...headers,
      ...authorization === undefined ? {} : { authorization },
    },
  });
  const asked = handlers.foundProduct?.(request);
  let done = !(asked instanceof Promise);
  if (asked instanceof Promise) asked.then(() => done = true);
  await eventually("an answer", () => {
    clock.advance(10);
    return done;
  });
  const response = answerOf(await asked);
  return { request, response, status: response?.status ?? 0 };
}

const ROWS: readonly (readonly [string, string | undefined, number])[] = [
  ["a right password", basic("alice", "wonder"), 0],
  ["a right one of SHA-1", basic("bob", "myPassword"), 0],
  ["a scheme in capitals", basic("bob", "myPassword").replace("B", "b"), 0],
  ["a wrong password", basic("alice", "wonder2"), 401],
  ["another's password", basic("alice", "myPassword"), 401],
  ["an unknown user", basic("eve", "wonder"), 401],
  ["a name of the prototype", basic("__proto__", "x"), 401],
  ["no field", undefined, 401],
  ["another scheme", "Bearer abc", 401],
  ["no base64", "Basic ???", 401],
  ["no colon", `Basic ${btoa("alice")}`, 401],
  ["no UTF-8", `Basic ${btoa("\xff:\xff")}`, 401],
  ["a huge one", `Basic ${btoa("a:" + "x".repeat(10_000))}`, 401],
];
for (const [what, authorization, status] of ROWS) {
  Deno.test(`auth-basic: ${what} is ${status || "let in"}`, async () => {
    const plugin = await startPlugin(authBasic, { users: [ALICE, SHA] });
    assertEquals((await ask(plugin, authorization)).status, status);
    await plugin.close();
  });
}

Deno.test("auth-basic answers with one challenge", async () => {
  const plugin = await startPlugin(authBasic, {
    users: [SHA],
    realm: 'The "staff"',
  });
  const { response } = await ask(plugin, undefined);
  assertEquals(response?.headers, {
    "www-authenticate": 'Basic realm="The \\"staff\\"", charset="UTF-8"',
    "cache-control": "no-store",
  });
});

Deno.test("auth-basic tells the backend the user, never what a client forged", async () => {
  const plugin = await startPlugin(authBasic, {
    users: [SHA],
    userHeader: "X-Remote-User",
    when: 'req_header_key_in("Authorization")',
  });
  const forged = { "x-remote-user": "root", "X_Remote_User": "root" };
  const known = await ask(plugin, basic("bob", "myPassword"), forged);
  assertEquals([...known.request.headers], [["X-Remote-User", "bob"]]);
  const unasked = await ask(plugin, undefined, forged);
  assertEquals([...unasked.request.headers], []);
});

Deno.test("auth-basic passes Authorization on where told so", async () => {
  const plugin = await startPlugin(authBasic, { users: [SHA], pass: true });
  const { request } = await ask(plugin, basic("bob", "myPassword"));
  assert(request.headers.has("authorization"));
});

Deno.test("auth-basic pays for bcrypt once, until the pair is forgotten", async () => {
  const plugin = await startPlugin(authBasic, { users: [ALICE], cache: "1m" });
  const right = basic("alice", "wonder");
  const counted = (result: string) => {
    const [, count = "0"] = new RegExp(`"${result}"} (\\d+)`)
      .exec(plugin.metrics()) ?? [];
    return Number(count);
  };
  await ask(plugin, right);
  assertEquals(
    plugin.handlers.foundProduct?.(fakeRequest({
      headers: { authorization: right },
    })),
    undefined,
  );
  assertEquals([counted("ok"), counted("cached")], [1, 1]);
  plugin.clock.advance(60_000);
  await ask(plugin, right);
  assertEquals([counted("ok"), counted("cached")], [2, 1]);
  await plugin.close();
});

Deno.test("auth-basic works on one password at a time and refuses a flood", async () => {
  const plugin = await startPlugin(authBasic, { users: [ALICE], queue: 3 });
  const guess = (i: number) =>
    plugin.handlers.foundProduct?.(
      fakeRequest({ headers: { authorization: basic("alice", `g${i}`) } }),
    );
  const answers = Array.from({ length: 10 }, (_, i) => guess(i));
  const statuses = answers.map((answer) =>
    answer instanceof Promise || answer?.kind !== "respond"
      ? 0
      : answer.response.status
  );
  assertEquals(statuses, [0, 0, 0, 503, 503, 503, 503, 503, 503, 503]);
  // The same guess again waits for the one that is worked on.
  assert(guess(0) instanceof Promise);
  let done = false;
  const all = Promise.all(answers).then(() => done = true);
  await eventually("the guesses", () => {
    plugin.clock.advance(10);
    return done;
  });
  await all;
  await plugin.close();
  assertEquals(plugin.clock.pending, 0);
});

Deno.test("auth-basic has nobody wait longer than a handler may take", async () => {
  const plugin = await startPlugin(authBasic, { users: [ALICE] });
  const asked = (password: string) =>
    Promise.resolve(
      plugin.handlers.foundProduct?.(
        fakeRequest({ headers: { authorization: basic("alice", password) } }),
      ),
    );
  const [guess, right, again] = [
    asked("guess"),
    asked("wonder"),
    asked("wonder"),
  ];
  assertEquals(answerOf(await guess)?.status, 401);
  // The pause behind the guess goes on, and on.
  plugin.clock.advance(3_000);
  assertEquals(answerOf(await right)?.status, 503);
  assertEquals(answerOf(await again)?.status, 503);
  // Its turn came nevertheless, and now it is known.
  await eventually("the right one", async () => {
    plugin.clock.advance(10);
    return (await ask(plugin, basic("alice", "wonder"))).status === 0;
  });
  await plugin.close();
  assertEquals(plugin.clock.pending, 0);
});

Deno.test("auth-basic takes as long for an unknown user", async () => {
  const plugin = await startPlugin(authBasic, {
    users: [`alice:${bcrypt.hashSync("wonder", 9)}`],
  });
  const timed = async (user: string) => {
    const started = performance.now();
    await ask(plugin, basic(user, "guess"));
    return performance.now() - started;
  };
  await timed("alice");
  const [known, unknown] = [await timed("alice"), await timed("eve")];
  assert(unknown > known / 3, `${known} ms, ${unknown} ms`);
  await plugin.close();
});

Deno.test("auth-basic rereads its file", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, SHA);
    const plugin = await startPlugin(authBasic, { file });
    const right = basic("bob", "myPassword");
    assertEquals((await ask(plugin, right)).status, 0);
    await Deno.writeTextFile(file, "# nobody\n");
    await eventually("a refusal", async () => {
      plugin.clock.advance(1_000);
      return (await ask(plugin, right)).status === 401;
    });
    await plugin.close();
  } finally {
    await Deno.remove(file);
  }
});

const REFUSED:
  readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{}, "Expected either users or file"],
    [{ users: ["a:b"] }, "users: line 1: Expected a hash"],
    [{ users: [SHA], userHeader: "a b" }, "userHeader"],
    [{ users: [SHA], realm: "a\nb" }, "realm"],
  ];
for (const [options, text] of REFUSED) {
  Deno.test(`auth-basic refuses ${JSON.stringify(options)}`, async () => {
    const error = await assertRejects(
      () => checkOptions(authBasic, options),
      OptionsError,
    );
    assertStringIncludes(error.message, text);
  });
}
