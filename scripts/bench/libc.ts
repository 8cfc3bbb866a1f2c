/**
 * The few functions of Linux's C library that a generator of paced load needs:
 * sockets without promises, and waits of microseconds.
 *
 * @module
 */

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_pwait2: {
    parameters: ["i32", "buffer", "i32", "buffer", "pointer"],
    result: "i32",
  },
  prctl: {
    parameters: ["i32", "usize", "usize", "usize", "usize"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = Deno.dlopen("libc.so.6", SYMBOLS).symbols;

const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const PR_SET_TIMERSLACK = 29;

/** Waits end when they are to, instead of up to 50 µs later. */
export function setTimerSlack(nanoseconds: number): void {
  libc.prctl(PR_SET_TIMERSLACK, BigInt(nanoseconds), 0n, 0n, 0n);
}

/** Connects to a port of 127.0.0.1; its descriptor. */
export function connectTo(port: number): number {
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  const address = new Uint8Array(16);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  view.setUint32(4, 0x7f000001);
  if (fd < 0 || libc.connect(fd, address, address.length) !== 0) {
    throw new Error(`Nobody answers on port ${port}`);
  }
  const on = new Uint8Array([1, 0, 0, 0]);
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, on.length);
  return fd;
}

/** Bytes with their length as the C library takes it: made once, not for each call. */
export class Memory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: bigint;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.size = BigInt(bytes.length);
  }
}

/** Sends it; whether all of it was taken. */
export function send(fd: number, { bytes, size }: Memory): boolean {
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return libc.send(fd, bytes, size, flags) === bytes.length;
}

/** How many bytes came, 0 at the end, -1 where there is nothing or it failed. */
export function receive(fd: number, { bytes, size }: Memory): number {
  return libc.recv(fd, bytes, size, MSG_DONTWAIT);
}

/** Closes it. */
export function close(fd: number): void {
  libc.close(fd);
}

/** Descriptors that have something to read. */
export class ReadyList {
  readonly #epoll = libc.epoll_create1(0);
  /** struct epoll_event is packed on x86-64 alone. */
  readonly #stride = Deno.build.arch === "x86_64" ? 12 : 16;
  readonly #dataAt = Deno.build.arch === "x86_64" ? 4 : 8;
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  /** struct timespec: seconds and nanoseconds, each of 64 bits of which the lower half is used. */
  readonly #timeout = new Uint32Array(4);
  readonly #timeoutBytes = new Uint8Array(this.#timeout.buffer);
  readonly #most: number;

  /** Tells of `most` at a time. */
  constructor(most: number) {
    this.#most = most;
    this.#events = new Uint8Array(most * this.#stride);
    this.#view = new DataView(this.#events.buffer);
  }

  /** It is told of by `tag`. */
  add(fd: number, tag: number): void {
    const event = new Uint8Array(this.#stride);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, true);
    view.setUint32(this.#dataAt, tag, true);
    if (libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, event) !== 0) {
      throw new Error(`Descriptor ${fd} can't be waited for`);
    }
  }

  /** Waits at most so many milliseconds, less than a second; how many are ready. */
  wait(milliseconds: number): number {
    this.#timeout[2] = Math.round(milliseconds * 1e6);
    return libc.epoll_pwait2(
      this.#epoll,
      this.#events,
      this.#most,
      this.#timeoutBytes,
      null,
    );
  }

  /** The tag of one that is ready. */
  tag(index: number): number {
    return this.#view.getUint32(index * this.#stride + this.#dataAt, true);
  }
}
