/** Sockets and waiting straight from the C library: no event loop between the clock and the wire. Linux only. */

const C = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_pwait2: { parameters: ["i32", "buffer", "i32", "buffer", "pointer"], result: "i32" },
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
}).symbols;

const AF_INET = 2, SOCK_STREAM = 1, IPPROTO_TCP = 6, TCP_NODELAY = 1;
const F_SETFL = 4, O_NONBLOCK = 0o4000, MSG_NOSIGNAL = 0x4000;
const EPOLL_CTL_ADD = 1, EPOLLIN = 1;
const PR_SET_TIMERSLACK = 29;
/** On x86-64 `struct epoll_event` is packed, elsewhere its data is aligned to 8 bytes. */
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16, DATA_AT = EVENT_BYTES - 8;

/** The kernel may wake a sleeper up to 50 µs late to save power; this asks for 1 ns. */
export function wakePunctually(): void {
  C.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
}

/** A connected, non-blocking socket. */
export function connectTo(port: number): number {
  const fd = C.socket(AF_INET, SOCK_STREAM, 0);
  const address = new DataView(new ArrayBuffer(16));
  address.setUint16(0, AF_INET, true);
  address.setUint16(2, port);
  address.setUint32(4, 0x7f000001);
  if (fd < 0 || C.connect(fd, new Uint8Array(address.buffer), 16) !== 0) {
    throw new Error(`No connection to 127.0.0.1:${port}`);
  }
  C.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, new Uint8Array([1, 0, 0, 0]), 4);
  C.fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

/** Bytes sent; below 0 when the socket is full or broken. */
export function send(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
  return Number(C.send(fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL));
}

/** Bytes received into `into`; 0 at the end of the connection, below 0 when there is nothing or it broke. */
export function receive(fd: number, into: Uint8Array<ArrayBuffer>): number {
  return Number(C.recv(fd, into, BigInt(into.length), 0));
}

export function close(fd: number): void {
  C.close(fd);
}

/** Waits for any of many sockets to become readable. */
export class Poll {
  readonly #fd = C.epoll_create1(0);
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #most: number;
  readonly #timeout = new BigInt64Array(2);

  constructor(most: number) {
    this.#most = most;
    this.#events = new Uint8Array(most * EVENT_BYTES);
    this.#view = new DataView(this.#events.buffer);
  }

  /** `id` is what {@link ready} gives for this socket. */
  add(fd: number, id: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, EPOLLIN, true);
    event.setUint32(DATA_AT, id, true);
    if (C.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, new Uint8Array(event.buffer)) !== 0) {
      throw new Error(`epoll refused socket ${fd}`);
    }
  }

  /** Number of readable sockets, after at most `ms` milliseconds (fractions count). */
  wait(ms: number): number {
    const whole = Math.floor(ms / 1000);
    this.#timeout[0] = BigInt(whole);
    this.#timeout[1] = BigInt(Math.round((ms - whole * 1000) * 1e6));
    return Math.max(0, C.epoll_pwait2(this.#fd, this.#events, this.#most, this.#timeout, null));
  }

  /** Id of the `index`-th readable socket of the last {@link wait}. */
  ready(index: number): number {
    return this.#view.getUint32(index * EVENT_BYTES + DATA_AT, true);
  }
}
