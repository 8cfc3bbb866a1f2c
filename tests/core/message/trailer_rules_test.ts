import { mayBeTrailer } from "../../../core/message/trailer_rules.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("mayBeTrailer() keeps from backends what they would believe of a head, however it is spelled", () => {
  for (
    const name of [
      "authorization",
      "content-length",
      "content_length",
      "transfer_encoding",
      "x-forwarded-for",
      "x_forwarded_proto",
      "x-client-cert-verify",
      "x_client_cert_subject",
      "x.real.ip",
    ]
  ) assertEquals([name, mayBeTrailer(name)], [name, false]);
  for (const name of ["grpc-status", "x_checksum", "server-timing"]) {
    assertEquals([name, mayBeTrailer(name)], [name, true]);
  }
});
