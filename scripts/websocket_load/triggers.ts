/**
 * What happens to backends in the midst of a run, one function each.
 *
 * @module
 */
import type { BackendProcess } from "./backend_process.ts";
import type { NamedBackend, ProxyProcess } from "./proxy_process.ts";

/** What a trigger works on. */
export interface Stage {
  readonly proxy: ProxyProcess;
  /** The backends of the config. */
  readonly backends: readonly NamedBackend[];
  /** The process behind a backend now. */
  process(id: string): BackendProcess;
  /** Puts a process that stands by into the place of one that is gone. */
  restart(id: string): Promise<void>;
  /** Notes that something happens to a backend now, for which its sessions are to leave it. */
  mark(id: string): void;
}

/** Rejects with a NotThereError where the proxy has no means for it. */
export type Trigger = (stage: Stage) => Promise<void>;

/** The backend that most of them are about. */
const FIRST = "b0";

/** SIGKILL after so many milliseconds of SIGSTOP. */
export function kill(stalled = 0): Trigger {
  return async (stage) => {
    stage.mark(FIRST);
    const process = stage.process(FIRST);
    if (stalled > 0) {
      process.stall();
      await delay(stalled);
    }
    await process.kill();
  };
}

/** The backend resets its connections, and takes new ones. */
export const reset: Trigger = async (stage) => {
  stage.mark(FIRST);
  await stage.process(FIRST).tell({ reset: true });
};

/** The backend sends a Close on its connections, and takes new ones. */
export function close(code: number): Trigger {
  return async (stage) => {
    stage.mark(FIRST);
    await stage.process(FIRST).tell({ close: code });
  };
}

/** wsbalancer's route that moves a backend's sessions; after so many milliseconds in which the backend is stalled. */
export function failOver(stalled = 0): Trigger {
  return async (stage) => {
    stage.mark(FIRST);
    if (stalled > 0) {
      stage.process(FIRST).stall();
      await delay(stalled);
    }
    await stage.proxy.admin("POST", `/backend/failover/${FIRST}`);
  };
}

/** wsbalancer's route that takes a backend away. */
export const deleteBackend: Trigger = async (stage) => {
  stage.mark(FIRST);
  await stage.proxy.admin("POST", `/backend/delete/${FIRST}`);
};

/** The state that moves a backend's sessions. */
export const drain: Trigger = async (stage) => {
  stage.mark(FIRST);
  await stage.proxy.admin("PATCH", `/api/backends/${FIRST}`, {
    state: "drain",
  });
};

/** A config without the backend. */
export const reloadWithout: Trigger = async (stage) => {
  stage.mark(FIRST);
  const others = stage.backends.filter(({ id }) => id !== FIRST);
  await stage.proxy.reload(others);
};

/** Kills backends in turn; each is back after so many milliseconds, and as many later the next one goes. */
export function killInTurn(times: number, away: number): Trigger {
  return async (stage) => {
    for (let i = 0; i < times; i++) {
      const { id } = stage.backends[i % stage.backends.length]!;
      stage.mark(id);
      await stage.process(id).kill();
      await delay(away);
      await stage.restart(id);
      if (i < times - 1) await delay(away);
    }
  };
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
