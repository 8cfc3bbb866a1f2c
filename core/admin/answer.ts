/**
 * The JSON that admin routes answer.
 *
 * @module
 */

/** A value as JSON that people can read too. `undefined` shows as null, so that keys don't come and go. */
export function jsonText(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, inner) => inner === undefined ? null : inner,
    2,
  );
}

/** An answer of {@linkcode jsonText}. */
export function answerJson(value: unknown, status = 200): Response {
  return new Response(`${jsonText(value)}\n`, {
    status,
    headers: { "content-type": "application/json" },
  });
}

/** An answer that says what is wrong. */
export function answerError(status: number, error: string): Response {
  return answerJson({ error }, status);
}
