/** Valid messages, several on a connection, in any pieces: parsed, written and parsed again they stay the same. */
import fc from "fast-check";
import { assertEquals } from "../../support/assert.ts";
import { runsOf } from "../../support/property.ts";
import {
  cut,
  cuts,
  type Field,
  requests,
  response,
  type ResponseModel,
} from "./arbitraries.ts";
import { driveRequests, driveResponses, type Message } from "./codec.ts";
import { sentOn } from "./sent_on.ts";

/** Fields whose lines belong to one connection or frame a message. */
const OWN =
  /^(connection|content-length|transfer-encoding|te|trailer|keep-alive|proxy-connection)$/i;

function others({ fields }: Message): readonly Field[] {
  return fields.filter(([name]) => !OWN.test(name));
}

/** Host first: it may stand anywhere. */
function hostFirst(fields: readonly Field[]): readonly Field[] {
  const isHost = ([name]: Field) => name.toLowerCase() === "host";
  return [
    ...fields.filter(isHost),
    ...fields.filter((field) => !isHost(field)),
  ];
}

Deno.test("random requests round-trip exactly, however they are cut", () => {
  const property = fc.property(requests, cuts, (models, places) => {
    const text = models.map((model) => model.text).join("");
    const outcome = driveRequests(cut(text, places));
    assertEquals(outcome.error, undefined);
    assertEquals(outcome.messages.length, models.length);
    models.forEach((model, i) => {
      const message = outcome.messages[i]!;
      const { method, target, version, keepAlive } = message.head;
      assertEquals([method, target, version, keepAlive], [
        model.method,
        model.target,
        model.version,
        model.keepAlive,
      ]);
      assertEquals(
        message.head.bodyLength,
        model.chunked ? -1 : model.body.length,
      );
      assertEquals(message.body, model.body);
      assertEquals(message.complete, true);
      assertEquals(hostFirst(others(message)), model.fields);
    });
    const sent = outcome.messages.map(sentOn);
    const again = driveRequests(cut(sent.join(""), places));
    assertEquals(again.error, undefined);
    assertEquals(again.pending, 0);
    // What is written is what was parsed, and nothing is left to change.
    assertEquals(again.messages.map(sentOn), sent);
    assertEquals(
      again.messages.map(({ body }) => body),
      models.map(({ body }) => body),
    );
    assertEquals(again.messages.map(others), outcome.messages.map(others));
  });
  fc.assert(property, runsOf("requests round-trip", 400));
});

Deno.test("random responses round-trip exactly, however they are cut", () => {
  const property = fc.property(response, cuts, (model, places) => {
    const outcome = driveResponses(cut(model.text, places), model.method);
    const message = onlyOne(outcome.messages);
    assertEquals(outcome.error, undefined);
    assertEquals(outcome.pending, 0);
    const { status, reason, bodyLength, chunked, closeDelimited } =
      message.head;
    assertEquals([status, reason], [model.status, model.reason]);
    assertEquals({ bodyLength, chunked, closeDelimited }, framingOf(model));
    assertEquals(message.body, model.body);
    assertEquals(others(message), model.fields);
    const sent = sentOn(message);
    const again = driveResponses(cut(sent, places), model.method);
    assertEquals(again.error, undefined);
    assertEquals(again.messages.map(sentOn), [sent]);
    assertEquals(onlyOne(again.messages).body, model.body);
    assertEquals(others(onlyOne(again.messages)), model.fields);
  });
  fc.assert(property, runsOf("responses round-trip", 400));
});

function onlyOne(messages: readonly Message[]): Message {
  assertEquals(messages.length, 1);
  return messages[0]!;
}

function framingOf({ framing, body }: ResponseModel) {
  return {
    bodyLength: framing === "none"
      ? 0
      : framing === "length"
      ? body.length
      : -1,
    chunked: framing === "chunked",
    closeDelimited: framing === "end",
  };
}
