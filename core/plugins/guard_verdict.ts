/**
 * Checks what handlers answer at run time. Almost every answer is `undefined`,
 * so that all else is kept out of the function that the hot path inlines.
 *
 * @module
 */
import {
  CALLBACK_POINTS,
  type CallbackPointSpec,
  type PointName,
  type VerdictKind,
} from "../callback_points.ts";
import { type Verdict, verdicts } from "../verdict.ts";
import { kindOf } from "./guard_kinds.ts";

/** Points whose handlers answer verdicts: all but selectAlternate, which answers a quality. */
export type VerdictPoint = Exclude<PointName, "selectAlternate">;

type Legal =
  & Pick<CallbackPointSpec, "finishResponse" | "verdicts">
  & {
    readonly [K in VerdictKind]: boolean;
  };

const LEGAL = Object.freeze(Object.fromEntries(
  CALLBACK_POINTS.map((row: CallbackPointSpec): [string, Legal] => [row.name, {
    finishResponse: row.finishResponse,
    verdicts: row.verdicts,
    respond: row.verdicts.includes("respond"),
    redirect: row.verdicts.includes("redirect"),
    finish: row.verdicts.includes("finish"),
    close: row.verdicts.includes("close"),
    retry: row.verdicts.includes("retry"),
  }]),
)) as Readonly<Record<PointName, Legal>>;

/**
 * A handler's answer (no promise: what it resolved to) as a verdict; undefined
 * for going on, also where it is said by `goOn`. Throws a `TypeError` for what
 * is no verdict or is not legal at this point, a `RangeError` for a status that
 * is none.
 */
export function guardVerdict(
  point: VerdictPoint,
  value: unknown,
): Verdict | undefined {
  return value === undefined ? undefined : checkVerdict(point, value);
}

function checkVerdict(
  point: VerdictPoint,
  value: unknown,
): Verdict | undefined {
  const legal = LEGAL[point];
  const verdict = value as Verdict & { readonly response?: unknown };
  switch (verdict?.kind) {
    case "goOn":
      return undefined;
    case "close":
      if (!legal.close) throw illegal("`close`", point);
      return verdict;
    case "retry":
      if (!legal.retry) throw illegal("`retry`", point);
      return verdict;
    case "respond":
      if (!legal.respond) throw illegal("`respond`", point);
      checkResponse("respond", verdict.response, point);
      return verdict;
    case "redirect":
      if (!legal.redirect) throw illegal("`redirect`", point);
      checkRedirect(verdict, point);
      return verdict;
    case "finish":
      checkFinish(verdict.response, point);
      return verdict;
    default:
      throw noVerdict(value, point);
  }
}

function checkFinish(response: unknown, point: VerdictPoint): void {
  const { finish, finishResponse } = LEGAL[point];
  if (!finish) throw illegal("`finish`", point);
  if (response === undefined) {
    if (finishResponse !== "must") return;
    throw new TypeError(
      `Cannot answer \`finish\` without a response at ${point}: there is none yet that could be sent`,
    );
  }
  if (finishResponse === "none") {
    throw new TypeError(
      `Cannot answer \`finish\` with a response at ${point}: one was sent already`,
    );
  }
  checkResponse("finish", response, point);
}

function checkResponse(
  kind: string,
  response: unknown,
  point: VerdictPoint,
): void {
  if (typeof response !== "object" || response === null) {
    throw new TypeError(
      `Cannot answer \`${kind}\` at ${point}: its response must be a Response or { status, headers?, body? }, it is ${
        kindOf(response)
      }`,
    );
  }
  const { status } = response as { readonly status?: unknown };
  if (
    typeof status !== "number" || !Number.isInteger(status) || status < 200 ||
    status > 599
  ) {
    throw new RangeError(
      `Cannot answer \`${kind}\` at ${point}: status must be 200 to 599, current value is ${status}`,
    );
  }
  if (response instanceof Response) {
    if (!response.bodyUsed) return;
    throw new TypeError(
      `Cannot answer \`${kind}\` at ${point}: a Response can be used once, this one was read already`,
    );
  }
  const { body } = response as { readonly body?: unknown };
  if (
    body === undefined || typeof body === "string" ||
    body instanceof Uint8Array || body instanceof ReadableStream ||
    body instanceof Deno.FsFile
  ) {
    return;
  }
  throw new TypeError(
    `Cannot answer \`${kind}\` at ${point}: body must be a string, a Uint8Array, a ReadableStream or a Deno.FsFile, it is ${
      kindOf(body)
    }`,
  );
}

function checkRedirect(verdict: Verdict, point: VerdictPoint): void {
  const { url, status } = verdict as {
    readonly url?: unknown;
    readonly status?: unknown;
  };
  // deno-lint-ignore no-control-regex -- these would end the field
  if (typeof url !== "string" || url === "" || /[\x00-\x1f\x7f]/.test(url)) {
    throw new TypeError(
      `Cannot answer \`redirect\` at ${point}: url must be a text without control characters, current value is ${
        typeof url === "string" ? JSON.stringify(url) : kindOf(url)
      }`,
    );
  }
  // Throws for a status that is no redirect.
  verdicts.redirect(url, status as number);
}

function noVerdict(value: unknown, point: VerdictPoint): TypeError {
  if (value instanceof Response) {
    return new TypeError(
      `Cannot answer a Response at ${point}: give it to verdict.respond`,
    );
  }
  const kind = (value as { readonly kind?: unknown } | null)?.kind;
  return illegal(
    typeof kind === "string" ? `\`${kind}\`` : kindOf(value),
    point,
  );
}

function illegal(what: string, point: VerdictPoint): TypeError {
  const legal = LEGAL[point].verdicts;
  return new TypeError(
    `Cannot answer ${what} at ${point}: legal ${
      legal.length === 0
        ? "is only going on"
        : `are ${["goOn", ...legal].join(", ")}`
    }`,
  );
}
