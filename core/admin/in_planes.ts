/**
 * Changes that all workers have to take.
 *
 * @module
 */
import { RefusedError } from "../data_plane/control.ts";
import {
  BackendRefusal,
  type BackendRefusalKind,
} from "../supervisor/backend_changes.ts";
import { answerError, answerJson } from "./answer.ts";
import type { AdminSource } from "./source.ts";

/** What a refused backend is told. */
const STATUSES: Readonly<Record<BackendRefusalKind, number>> = {
  unknown: 404,
  invalid: 400,
  id: 409,
  url: 409,
  address: 409,
};

/** The change's answer; a refusal of a backend's; 409 where the proxy is not ready for one, 422 with every reason where the workers refuse it. */
export async function inPlanes(
  source: AdminSource,
  change: () => Promise<Response>,
): Promise<Response> {
  if (source.state !== "ready") {
    return answerError(
      409,
      `Cannot change this as the proxy must be ready: current state is ${source.state}`,
    );
  }
  try {
    return await change();
  } catch (thrown) {
    if (thrown instanceof BackendRefusal) {
      return answerError(STATUSES[thrown.kind], thrown.message);
    }
    if (!(thrown instanceof RefusedError)) throw thrown;
    return answerJson({ problems: thrown.problems }, 422);
  }
}
