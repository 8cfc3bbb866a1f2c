/**
 * The table of what may happen to backends, beside wsbalancer's figures for it.
 *
 * @module
 */
import {
  close,
  deleteBackend,
  drain,
  failOver,
  kill,
  killInTurn,
  reloadWithout,
  reset,
  type Trigger,
} from "./triggers.ts";

/** One row. */
export interface FailoverRow {
  readonly name: string;
  readonly does: string;
  /**
   * A crash may have messages sent twice and requests unanswered that the
   * backend had taken; a planned move may not.
   */
  readonly kind: "crash" | "planned";
  readonly trigger: Trigger;
  /** Backends of the cluster. Default 2. */
  readonly backends?: number;
  /** Processes that stand by for a restart. Default 0. */
  readonly spares?: number;
  /** Bytes of each message. Default 64. */
  readonly size?: number;
  /** Messages per second of each session. Default 200. */
  readonly rate?: number;
  /** Milliseconds that backends think. Default 0. */
  readonly think?: number;
  /** Messages of backends' own per second and session. Default 0. */
  readonly pushes?: number;
  /** Milliseconds of silence that the trigger itself makes. Default 0. */
  readonly stalled?: number;
  /** wsbalancer's figures, as §13 of its page has them; undefined where it has none. */
  readonly wsbalancer?: WsbalancerFigures;
}

/** Ranges over its runs; 20 sessions, 10 of them affected. */
export interface WsbalancerFigures {
  readonly upLost: string;
  readonly downLost: string;
  readonly closed: string;
  /** Median / longest, in milliseconds. */
  readonly gap: string;
}

function figures(
  upLost: string,
  downLost: string,
  closed: string,
  gap: string,
): WsbalancerFigures {
  return { upLost, downLost, closed, gap };
}

/** Every row, in the order of that table. */
export const FAILOVER_ROWS: readonly FailoverRow[] = [
  {
    name: "kill",
    does: "SIGKILL",
    kind: "crash",
    trigger: kill(),
    wsbalancer: figures("9-30", "0", "0", "9-35 / 14-38"),
  },
  {
    name: "kill-stalled-100",
    does: "SIGKILL after 100 ms of SIGSTOP",
    kind: "crash",
    trigger: kill(100),
    stalled: 100,
    wsbalancer: figures("220", "0", "0", "118"),
  },
  {
    name: "kill-stalled-500",
    does: "SIGKILL after 500 ms of SIGSTOP",
    kind: "crash",
    trigger: kill(500),
    stalled: 500,
    wsbalancer: figures("1020", "0", "0", "516"),
  },
  {
    name: "kill-stalled-16k",
    does: "the same, 16 KB at 50/s",
    kind: "crash",
    trigger: kill(500),
    stalled: 500,
    size: 16 << 10,
    rate: 50,
    wsbalancer: figures("260", "0", "0", "566"),
  },
  {
    name: "reset",
    does: "the backend resets",
    kind: "crash",
    trigger: reset,
    wsbalancer: figures("0", "0", "0", "28"),
  },
  {
    name: "close-1001",
    does: "the backend sends Close 1001",
    kind: "crash",
    trigger: close(1001),
    wsbalancer: figures("8-10", "0", "0", "10-30"),
  },
  {
    name: "close-1012",
    does: "the backend sends Close 1012",
    kind: "crash",
    trigger: close(1012),
    wsbalancer: figures("-", "-", "10", "-"),
  },
  {
    name: "close-1011",
    does: "the backend sends Close 1011",
    kind: "crash",
    trigger: close(1011),
  },
  {
    name: "failover",
    does: "POST /backend/failover",
    kind: "planned",
    trigger: failOver(),
    wsbalancer: figures("0", "0", "0", "11-32 / 15-33"),
  },
  {
    name: "failover-think",
    does: "the same, 20 ms think time",
    kind: "planned",
    trigger: failOver(),
    think: 20,
    wsbalancer: figures("0", "50-160", "0", "35-71"),
  },
  {
    name: "delete-pushes",
    does: "POST /backend/delete, 100 pushes/s",
    kind: "planned",
    trigger: deleteBackend,
    pushes: 100,
    wsbalancer: figures("0", "10", "0", "94"),
  },
  {
    name: "failover-stalled",
    does: "POST /backend/failover after 2 s of SIGSTOP",
    kind: "crash",
    trigger: failOver(2_000),
    stalled: 2_000,
    wsbalancer: figures("~2035 + ~5000 stuck", "0", "0, 5 stuck", "2056"),
  },
  {
    name: "restarts",
    does: "SIGKILL, back after 0.5 s, three times in turn",
    kind: "crash",
    trigger: killInTurn(3, 500),
    spares: 3,
    wsbalancer: figures("66", "0", "17", "16-54"),
  },
  {
    name: "single",
    does: "SIGKILL of the only one, back after 0.3 s",
    kind: "crash",
    trigger: killInTurn(1, 300),
    backends: 1,
    spares: 1,
    wsbalancer: figures("79", "0", "20", "-"),
  },
  {
    name: "drain",
    does: "PATCH state: drain",
    kind: "planned",
    trigger: drain,
  },
  {
    name: "drain-think",
    does: "the same, 20 ms think time, 100 pushes/s",
    kind: "planned",
    trigger: drain,
    think: 20,
    pushes: 100,
  },
  {
    name: "reload",
    does: "a reload without the backend",
    kind: "planned",
    trigger: reloadWithout,
  },
];
