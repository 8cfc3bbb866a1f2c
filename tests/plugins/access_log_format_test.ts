import { apacheTime, lineFormat } from "../../plugins/access_log_format.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { FakeClock } from "../support/clock.ts";
import {
  fakeAttempt,
  fakeSession,
  fakeTransaction,
  type TransactionFacts,
} from "../../core/testing/views.ts";

function contextOf(clock = new FakeClock()) {
  return { clock, needTlsFacts() {} };
}

function format(
  name: "json" | "common" | "combined",
  facts: TransactionFacts = {},
): string {
  const transaction = fakeTransaction(facts);
  return lineFormat({ format: name }, contextOf())
    .transaction(transaction, transaction.request);
}

const TIME = apacheTime()(1_700_000_000_000);

Deno.test("common is Apache's common log format", () => {
  assertEquals(
    format("common", { request: { target: "/a?b=c" } }),
    `192.0.2.1 - - [${TIME}] "GET /a?b=c HTTP/1.1" 200 230\n`,
  );
});

Deno.test("combined adds referer and user agent", () => {
  const headers = { referer: "http://a/", "user-agent": "curl/8.5" };
  assertEquals(
    format("combined", { request: { headers } }),
    `192.0.2.1 - - [${TIME}] "GET / HTTP/1.1" 200 230 "http://a/" "curl/8.5"\n`,
  );
});

Deno.test("combined writes - for what is missing", () => {
  assertEquals(
    format("combined", { request: null, status: 0, bytesOut: 0 }),
    `192.0.2.1 - - [${TIME}] "-" - - "-" "-"\n`,
  );
});

Deno.test("common writes a TCP session without request and status", () => {
  const session = fakeSession({ protocol: "tcp", bytesOut: 7 });
  assertEquals(
    lineFormat({ format: "common" }, contextOf()).session(session),
    `192.0.2.1 - - [${TIME}] "-" - 7\n`,
  );
});

Deno.test("common writes - for a client without an address", () => {
  const session = fakeSession({ remote: { address: "", port: 0 } });
  assertMatch(
    format("common", { session, request: null, status: 400 }),
    /^- - - \[/,
  );
});

Deno.test("combined escapes as Apache does", () => {
  const headers = { "user-agent": 'a"b\\c\td\xe9\x7f\x01\n\r\v\b' };
  assertEquals(
    format("combined", { request: { target: '/"', headers } }),
    `192.0.2.1 - - [${TIME}] "GET /\\" HTTP/1.1" 200 230 "-" "a\\"b\\\\c\\td\\xe9\\x7f\\x01\\n\\r\\v\\b"\n`,
  );
});

Deno.test("combined writes characters beyond a byte as UTF-8 bytes", () => {
  const headers = { "user-agent": "€" };
  assertMatch(
    format("combined", { request: { headers } }),
    /"\\xe2\\x82\\xac"\n$/,
  );
});

Deno.test("common spells HTTP/2 as Apache does", () => {
  assertMatch(
    format("common", { request: { version: "2" } }),
    /"GET \/ HTTP\/2\.0"/,
  );
});

Deno.test("json stays one line that terminals take for text", () => {
  const headers = { "user-agent": 'a"\n\x1b[2J\x9b\x7f' };
  const line = format("json", { request: { headers } });

  assertMatch(line, /^\P{Cc}+\n$/u);
  assertEquals(JSON.parse(line).userAgent, headers["user-agent"]);
});

Deno.test("json tells the time as toISOString does", () => {
  const json = lineFormat({ format: "json" }, contextOf());
  for (const time of [0, 999, 1_000, 1_700_000_000_042, 1_700_000_000_042.9]) {
    const transaction = fakeTransaction({ startedAt: time });
    const line = json.transaction(transaction, transaction.request);
    assertEquals(JSON.parse(line).time, new Date(time).toISOString());
  }
});

Deno.test("json measures to now where the response did not finish", () => {
  const clock = new FakeClock();
  const transaction = fakeTransaction({
    startedAt: clock.wall() - 40,
    timings: {
      requestHead: undefined,
      connected: undefined,
      responseHead: undefined,
      finished: undefined,
    },
  });
  const line = lineFormat({ format: "json" }, contextOf(clock))
    .transaction(transaction, transaction.request);

  assertEquals(JSON.parse(line).durationMs, 40);
});

Deno.test("apacheTime() tells local time with its offset", () => {
  const time = Date.UTC(2000, 9, 10, 20, 55, 36, 999);

  assertEquals(apacheTime(() => -420)(time), "10/Oct/2000:13:55:36 -0700");
  assertEquals(apacheTime(() => 345)(time), "11/Oct/2000:02:40:36 +0545");
  assertEquals(apacheTime(() => 0)(time), "10/Oct/2000:20:55:36 +0000");
});

Deno.test("apacheTime() follows the second", () => {
  const tell = apacheTime(() => 0);
  tell(1_999);

  assertEquals(tell(2_000), "01/Jan/1970:00:00:02 +0000");
  assertEquals(tell(1_000), "01/Jan/1970:00:00:01 +0000");
});

Deno.test("template is a line of one's own, its values escaped", () => {
  const { transaction, session } = lineFormat({
    format: "template",
    template: 'a="%{header:x-a}" %{status} %{cookie:none} 100%%',
  }, contextOf());
  const logged = fakeTransaction({
    request: { headers: { "x-a": 'x"\t\xe4\n' } },
    status: 404,
  });
  assertEquals(
    transaction(logged, undefined),
    'a="x\\"\\t\\xe4\\n" 404 - 100%\n',
  );
  assertEquals(session(fakeSession()), 'a="-" - - 100%\n');
});

Deno.test("json tells attempts' ids, failovers and another request id", () => {
  const transaction = fakeTransaction({
    attempts: [fakeAttempt(), fakeAttempt({ number: 2, reconnect: true })],
  });
  transaction.data.set(Symbol.for("headrace.request-id"), "r-1");
  const json = JSON.parse(
    lineFormat({ format: "json" }, contextOf())
      .transaction(transaction, transaction.request),
  );
  assertEquals(json.requestId, "r-1");
  assertEquals(
    json.attempts.map(({ id, failover }: Record<string, unknown>) => [
      id,
      failover,
    ]),
    [["t1.1", undefined], ["t1.2", true]],
  );
});
