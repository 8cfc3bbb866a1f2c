/**
 * The harness's tables, wsbalancer's figures beside its own.
 *
 * @module
 */
import { IDLE_GOAL, IDLE_WSBALANCER, type IdleFigures } from "./idle_row.ts";
import type { FailoverResult, RelayResult, Results } from "./results.ts";
import { figure, textTable } from "./text_table.ts";

/** The tables of what was run, wsbalancer's figures beside. */
export function tables({ failover, relay, idle }: Results): string {
  const parts: string[] = [];
  if (failover.length > 0) parts.push(failoverTable(failover));
  if (relay.length > 0) parts.push(relayTable(relay));
  if (idle.length > 0) parts.push(idleTable(idle));
  return parts.join("\n\n");
}

function failoverTable(results: readonly FailoverResult[]): string {
  const heads = [
    "row",
    "sent",
    "up lost",
    "dup (replayed)",
    "reord",
    "down lost",
    "dup",
    "reord",
    "unansw",
    "closed",
    "moved",
    "stuck",
    "gap p50 / max",
    "dying",
    "own",
    "others",
    "late",
    "| wsbalancer: up lost",
    "down lost",
    "closed",
    "gap",
  ];
  const rows = results.map(({ row, ...result }) => {
    const theirs = row.wsbalancer;
    const beside = [
      `| ${theirs?.upLost ?? "-"}`,
      theirs?.downLost ?? "-",
      theirs?.closed ?? "-",
      theirs?.gap ?? "-",
    ];
    if (result.failure !== undefined) {
      const empty = heads.slice(2, -beside.length).map(() => "");
      return [row.does, "NONE", ...empty, ...beside];
    }
    const { figures: f } = result;
    return [
      row.does,
      `${f.sent}`,
      `${f.upLost}`,
      `${f.upDuplicated} (${f.replayed})`,
      `${f.upReordered}`,
      `${f.downLost}`,
      `${f.downDuplicated}`,
      `${f.downReordered}`,
      `${f.unanswered}`,
      closedText(f.closed),
      `${f.moved}`,
      `${f.stuck}`,
      `${figure(f.gapMedian, 1)} / ${figure(f.gapLongest, 1)}`,
      figure(f.dying, 1),
      figure(f.ownGap, 1),
      figure(f.othersMedian, 1),
      figure(f.late),
      ...beside,
    ];
  });
  return `Failover: messages of all sessions; in ms: gaps of sessions that moved, how long a killed backend had open sockets, the mean of what the proxy tells of them, gaps of others at the same time, how late the harness was at worst\n${
    textTable(heads, rows)
  }`;
}

/** How many, with their codes. */
function closedText(codes: readonly number[]): string {
  if (codes.length === 0) return "0";
  return `${codes.length}: ${[...new Set(codes)].join(",")}`;
}

function relayTable(results: readonly RelayResult[]): string {
  const heads = ["load", "through", "msg/s", "CPU µs", "goal", "p50", "p99"];
  const rows = results.flatMap(({ row, figures }) => [
    ...figures.map((each, i) => [
      row.does,
      each.target,
      figure(each.perSecond),
      figure(each.cpu, 2),
      i === 0 && row.goal !== undefined ? `${row.goal}` : "",
      figure(each.median, 2),
      figure(each.p99, 2),
    ]),
    [
      row.does,
      "wsbalancer",
      row.wsbalancer.perSecond,
      row.wsbalancer.cpu,
      "",
      "",
      "",
    ],
  ]);
  return `Relay, 50 sessions: messages per second, both ways together; CPU of the proxy per message; round trips in ms\n${
    textTable(heads, rows)
  }`;
}

function idleTable(results: readonly IdleFigures[]): string {
  const heads = ["through", "fresh", "after 64 B", "after 16 KB", "goal"];
  const rows = results.map(({ target, fresh, small, large }, i) => [
    target,
    figure(fresh, 1),
    figure(small, 1),
    figure(large, 1),
    i === 0 ? `${IDLE_GOAL}` : "",
  ]);
  const { fresh, small, large } = IDLE_WSBALANCER;
  rows.push(["wsbalancer", fresh, small, large, ""]);
  return `Idle, 2,000 sessions: resident KB each\n${textTable(heads, rows)}`;
}
