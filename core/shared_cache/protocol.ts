/**
 * What workers say to each other of the cache: asks of the worker that owns a
 * key, and what it tells. Plain data over one MessagePort for each two workers,
 * which carries both directions' asks; it keeps their order.
 *
 * An ask's `id` is the asker's. A claim keeps its id for all that follows of it:
 * the wait, the body that is read or sent.
 *
 * @module
 */
import type { FailureCode } from "../errors.ts";
import type { Purge, StoredHead } from "../cache/store.ts";
import { textKey } from "../cache/text_key.ts";
import type { Piece } from "./slab.ts";

/** Bytes of a body up to which it comes with the answer, and may be copied. */
export const SMALL_BODY = 64 << 10;

/** Bytes of bodies that one answer brings at most: a key may have many alternates. */
export const MAX_INLINE = 256 << 10;

/** Bytes of a body that are on their way to a worker that has not read them yet: each slow client may hold so many. */
export const STREAM_WINDOW = 256 << 10;

/** Says which entry is meant. */
export interface EntryName {
  readonly key: string;
  readonly mark: string;
}

/** An entry as it crosses. */
export interface WireEntry {
  readonly head: StoredHead;
  readonly size: number;
  /** Its body, where it is small. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** By what the owner finds it quickly for some seconds; 0 with `bytes`. */
  readonly ref: number;
}

/** The entries of a key. */
export interface Listing {
  readonly entries: readonly WireEntry[];
  /** Of the owner's memory, before it looked. */
  readonly version: number;
}

/** What a claim is answered. */
export type ClaimAnswer =
  | { readonly kind: "lead"; readonly led: boolean; readonly stores: boolean }
  /** A result follows. */
  | { readonly kind: "wait" }
  | { readonly kind: "again" }
  | WireFill;

/** A body that is on its way: to be joined under the claim's id. */
export interface WireFill {
  readonly kind: "fill";
  readonly head: StoredHead;
  readonly size: number | undefined;
  readonly serial: number;
}

/** What a fetch came to, to those who wait. */
export type WireResult =
  | WireFill
  | { readonly kind: "entry"; readonly entry: WireEntry }
  | { readonly kind: "uncacheable" }
  | { readonly kind: "again"; readonly stored?: boolean }
  | WireFailure;

/** What a leader tells of its fetch. */
export type WireSettle =
  | { readonly kind: "fill" | "uncacheable" | "again" }
  | { readonly kind: "entry"; readonly name: EntryName }
  | WireFailure;

/** What went wrong. */
export interface WireFailure {
  readonly kind: "failed";
  readonly code: FailureCode;
  readonly message: string;
}

/** What a purge is answered. */
export type PurgeAnswer =
  | { readonly kind: "purged"; readonly count: number }
  | WireFailure;

/**
 * What is asked of an owner. Where it fails at it the answer is undefined, as
 * where nobody is there.
 */
export type Ask =
  /** Answered with a {@linkcode Listing}. */
  | { readonly ask: "find"; readonly id: number; readonly key: string }
  /** Answered with a {@linkcode ClaimAnswer}. */
  | {
    readonly ask: "claim";
    readonly id: number;
    readonly key: string;
    readonly variant: string;
    readonly joins: boolean;
    readonly leads: boolean;
    readonly minUses: number;
    /** The version of what it found; undefined where that does not matter. */
    readonly version: number | undefined;
    readonly seen: number;
  }
  /** Reads the offered fill; answered with whether that still goes. */
  | { readonly ask: "join"; readonly id: number }
  /** Whatever this id was: a claim, a wait, a body. Nothing more of it is wanted or comes. */
  | { readonly ask: "leave"; readonly id: number }
  | {
    readonly ask: "settle";
    readonly id: number;
    readonly result: WireSettle;
  }
  /** The claim's variant is not cacheable. */
  | { readonly ask: "pass"; readonly id: number }
  /** What the claim's fetch brings, followed by `bytes` and `end` or `break`. */
  | {
    readonly ask: "fill";
    readonly id: number;
    readonly head: StoredHead;
    readonly size: number | undefined;
    readonly replaced: readonly string[];
  }
  | {
    readonly ask: "bytes";
    readonly id: number;
    readonly pieces: readonly Piece[];
  }
  | { readonly ask: "end"; readonly id: number }
  | { readonly ask: "break"; readonly id: number }
  /** Reads an entry. */
  | {
    readonly ask: "open";
    readonly id: number;
    readonly name: EntryName;
    readonly ref: number;
    readonly start: number;
    readonly end: number;
  }
  /** Reads what the leader of this claim has sent. */
  | {
    readonly ask: "reread";
    readonly id: number;
    readonly claim: number;
    readonly start: number;
    readonly end: number;
  }
  /** So many bytes were read. */
  | { readonly ask: "more"; readonly id: number; readonly count: number }
  | { readonly ask: "used"; readonly names: readonly EntryName[] }
  /** Answered with a {@linkcode WireEntry} without bytes, undefined where it is gone. */
  | {
    readonly ask: "update";
    readonly id: number;
    readonly name: EntryName;
    readonly head: StoredHead;
  }
  /** Answered with nothing. */
  | { readonly ask: "remove"; readonly id: number; readonly name: EntryName }
  /** Answered with a {@linkcode PurgeAnswer}, undefined where no cache is in use. */
  | {
    readonly ask: "purge";
    readonly id: number;
    readonly purge: Purge;
    /** Whoever wants it was answered before: nothing is to be found until it is done. */
    readonly late: boolean;
  }
  /** Answered with whether it may. */
  | {
    readonly ask: "refresh";
    readonly id: number;
    readonly key: string;
    readonly variant: string;
  }
  | {
    readonly ask: "refreshed";
    readonly key: string;
    readonly variant: string;
  }
  /** Answered at once: the owner is alive. */
  | { readonly ask: "ping"; readonly id: number };

/** What is asked by this word. */
export type AskOf<A extends Ask["ask"]> = Extract<Ask, { ask: A }>;

/** What an owner tells. */
export type Tell =
  /** The first: what changes of its entries shows in. */
  | { readonly tell: "hello"; readonly memory: SharedArrayBuffer }
  /** Where slots of the bodies lie that the same worker sends, as asker too. */
  | { readonly tell: "slab"; readonly buffer: SharedArrayBuffer }
  | { readonly tell: "answer"; readonly id: number; readonly value: unknown }
  | {
    readonly tell: "result";
    readonly id: number;
    readonly result: WireResult;
  }
  | {
    readonly tell: "bytes";
    readonly id: number;
    readonly pieces: readonly Piece[];
    readonly last: boolean;
  }
  /** It breaks off. */
  | {
    readonly tell: "broken";
    readonly id: number;
    readonly code: FailureCode;
    readonly message: string;
  }
  /** So many bytes of a leader's body were taken. */
  | { readonly tell: "taken"; readonly id: number; readonly count: number }
  /** No more of a leader's body is wanted. */
  | { readonly tell: "stop"; readonly id: number }
  /** What the claim's fetch brings is not stored. */
  | { readonly tell: "doomed"; readonly id: number };

/** Any of them. */
export type Message = Ask | Tell;

/**
 * Tells an entry of a key from the others: when it came, for what request, and
 * its fields, an ETag's among them.
 */
export function markOf(head: StoredHead): string {
  const { requestedAt, receivedAt, start, length, status, scope } = head;
  const lines = textKey(
    `${scope}\n${head.request.join("\n")}\n\n${head.fields.join("\n")}`,
  );
  return `${status} ${requestedAt} ${receivedAt} ${start} ${length} ${lines}`;
}
