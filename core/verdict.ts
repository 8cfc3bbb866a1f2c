/**
 * The values that handlers answer.
 *
 * @module
 */
import type {
  Close,
  Finish,
  FinishWith,
  GoOn,
  HandlerResponse,
  Redirect,
  Respond,
  Retry,
  Verdicts,
} from "./plugin.ts";

/** Any verdict; which are legal at a point its type says. */
export type Verdict =
  | GoOn
  | Respond
  | Redirect
  | Finish
  | FinishWith
  | Close
  | Retry;

const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];

function finish(): Finish;
function finish(response: HandlerResponse): FinishWith;
function finish(response?: HandlerResponse): Finish | FinishWith {
  return response === undefined ? FINISH : { kind: "finish", response };
}

const FINISH: Finish = Object.freeze({ kind: "finish" });

/** The makers that `setup` gets. */
export const verdicts: Verdicts = Object.freeze({
  goOn: Object.freeze<GoOn>({ kind: "goOn" }),
  retry: Object.freeze<Retry>({ kind: "retry" }),
  close: Object.freeze<Close>({ kind: "close" }),
  respond: (response: HandlerResponse): Respond => ({
    kind: "respond",
    response,
  }),
  redirect(url: string, status = 302): Redirect {
    if (!REDIRECT_STATUSES.includes(status)) {
      throw new RangeError(
        `Cannot redirect with status ${status}: expected one of ${
          REDIRECT_STATUSES.join(", ")
        }`,
      );
    }
    return { kind: "redirect", url, status };
  },
  finish,
});
