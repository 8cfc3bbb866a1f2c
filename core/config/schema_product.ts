/**
 * The schema of `products`.
 *
 * That a rule has exactly one of cluster, redirect and respond is checked with
 * the other relations (`check_rules.ts`); until then a rule is a loose shape.
 *
 * @module
 */
import { z } from "zod";
import type { ProductConfig, RuleConfig } from "./config.ts";
import {
  boolean,
  choice,
  condition,
  duration,
  hostPattern,
  integer,
  name,
  text,
} from "./scalars.ts";
import type { Scalar } from "./scalars.ts";
import {
  list,
  listWithDefault,
  mapping,
  mappingOfDefaults,
  maybe,
  optional,
  required,
  withDefault,
} from "./schema_parts.ts";
import { ValueError } from "./value_error.ts";

const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];

const redirect = mapping("Answers with a redirect.", {
  to: optional(redirectTarget("An absolute http(s) URL, or a path from /.")),
  scheme: optional(
    choice(
      "Instead of to: the request's own host, path and query by this scheme.",
      ["http", "https"],
    ),
  ),
  port: optional(
    integer("The port beside scheme; left out = the scheme's own.", {
      min: 1,
      max: 65_535,
    }),
  ),
  status: withDefault(302, redirectStatus("301, 302, 303, 307 or 308.")),
});

const respond = mapping("Answers with a fixed response.", {
  status: required(integer("The status.", { min: 200, max: 599 })),
  body: withDefault("", text("The body.", { min: 0 })),
});

const ruleSchema: z.ZodType<RuleConfig> = mapping(
  "Exactly one of cluster, redirect and respond.",
  {
    when: optional(
      condition("The condition, in single quotes; left out = always."),
    ),
    cluster: optional(name("The cluster that serves the request.")),
    redirect: maybe(redirect),
    respond: maybe(respond),
    timeouts: mappingOfDefaults("Set above the cluster's.", {
      response: optional(duration("To the response's head.")),
    }),
  },
).transform(({ when, cluster, redirect, respond, timeouts }): RuleConfig => {
  if (cluster !== undefined) return { when, cluster, timeouts };
  if (redirect !== undefined) return { when, redirect };
  if (respond !== undefined) return { when, respond };
  // check_rules.ts has refused the rule; nobody gets to see this value.
  return z.NEVER;
});

/** One of `products`. */
export const productSchema: z.ZodType<ProductConfig> = mapping("A product.", {
  name: required(name("Its name.")),
  hosts: listWithDefault(
    [],
    "The hosts that it serves: exact names and *.domain.",
    required(hostPattern("A host name or *.domain, in quotes.")),
  ),
  default: withDefault(
    false,
    boolean("Whether it serves hosts that nobody claims."),
  ),
  rules: list("The first match wins.", ruleSchema),
});

function redirectTarget(description: string): Scalar<string> {
  const url = text(description);
  return {
    ...url,
    parse(value) {
      const target = url.parse(value);
      const valid = /^https?:\/\//i.test(target)
        ? URL.canParse(target)
        : /^\/(?!\/)/.test(target);
      // A control character or a space would break the Location field.
      // deno-lint-ignore no-control-regex
      if (!valid || /[\u0000-\u0020\u007f]/.test(target)) {
        throw new ValueError(
          "Expected an absolute http(s) URL or a path that begins with one slash",
        );
      }
      return target;
    },
  };
}

function redirectStatus(description: string): Scalar<number> {
  const status = integer(description, { min: 301, max: 308 });
  return {
    ...status,
    parse(value) {
      const number = Number(value);
      if (!REDIRECT_STATUSES.includes(number)) {
        throw new ValueError("Expected 301, 302, 303, 307 or 308");
      }
      return number;
    },
  };
}
