/** A client that sends HTTP/2 frames as it is told, over a socket: for what no decent client does. */
import { connect, type Socket } from "node:net";
import { Buffer } from "node:buffer";

export const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7;
export const END_STREAM = 1, ACK = 1, END_HEADERS = 4;

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** Field lines as literals that no table remembers (RFC 7541 6.2.2). */
export function literals(fields: Readonly<Record<string, string>>): Uint8Array {
  const text = (one: string): number[] => {
    if (one.length > 126) throw new RangeError("Only short strings are written here");
    return [one.length, ...Buffer.from(one, "latin1")];
  };
  return Uint8Array.from(
    Object.entries(fields).flatMap(([name, value]) => [0, ...text(name), ...text(value)]),
  );
}

export class RawH2 {
  readonly socket: Socket;
  /** What the server has sent so far. */
  readonly frames: RawFrame[] = [];
  readonly closed: Promise<void>;
  #held = Buffer.alloc(0);
  #waiting: { wanted: (frame: RawFrame) => boolean; found: (frame: RawFrame) => void }[] = [];

  /** Over `socket`, or a new connection to `host:port`; begins with the preface and empty SETTINGS. */
  constructor(place: string | Socket) {
    if (typeof place === "string") {
      const [host, port] = place.split(":");
      this.socket = connect({ host: host!, port: Number(port), noDelay: true });
    } else this.socket = place;
    this.socket.on("error", () => {});
    this.socket.on("data", (bytes: Uint8Array) => this.#read(bytes));
    this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
    this.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.send(SETTINGS, 0, 0);
    this.send(SETTINGS, ACK, 0);
  }

  send(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array(0)): this {
    const frame = Buffer.alloc(9 + payload.length);
    frame.writeUIntBE(payload.length, 0, 3);
    frame[3] = type;
    frame[4] = flags;
    frame.writeUInt32BE(id, 5);
    frame.set(payload, 9);
    this.socket.write(frame);
    return this;
  }

  get(id: number, path = "/", authority = "web"): this {
    const head = { ":method": "GET", ":scheme": "http", ":authority": authority, ":path": path };
    return this.send(HEADERS, END_HEADERS | END_STREAM, id, literals(head));
  }

  reset(id: number): this {
    return this.send(RST_STREAM, 0, id, Uint8Array.of(0, 0, 0, 8));
  }

  /** The first such frame, past or to come. */
  async frame(type: number, id?: number): Promise<RawFrame> {
    const wanted = (one: RawFrame): boolean =>
      one.type === type && (id === undefined || one.id === id);
    const past = this.frames.find(wanted);
    if (past !== undefined) return past;
    return await Promise.race([
      new Promise<RawFrame>((found) => void this.#waiting.push({ wanted, found })),
      this.closed.then(() => Promise.reject(new Error(`The connection closed without it`))),
    ]);
  }

  /** Waits for what ends stream `id`, or for the end of the connection; what came on the stream. */
  async over(id: number): Promise<RawFrame[]> {
    const ends = ({ type, flags, id: on }: RawFrame): boolean =>
      on === id &&
      (type === RST_STREAM || ((type === HEADERS || type === DATA) && (flags & 1) !== 0));
    if (!this.frames.some(ends)) {
      const found = new Promise<void>((done) =>
        void this.#waiting.push({ wanted: ends, found: () => done() })
      );
      await Promise.race([found, this.closed]);
    }
    return this.frames.filter((frame) => frame.id === id);
  }

  #read(bytes: Uint8Array): void {
    this.#held = Buffer.concat([this.#held, bytes]);
    while (this.#held.length >= 9) {
      const end = 9 + this.#held.readUIntBE(0, 3);
      if (this.#held.length < end) return;
      const head = this.#held.subarray(0, end);
      this.#held = this.#held.subarray(end);
      const frame: RawFrame = {
        type: head[3]!,
        flags: head[4]!,
        id: head.readUInt32BE(5),
        payload: Uint8Array.from(head.subarray(9)),
      };
      this.frames.push(frame);
      this.#waiting = this.#waiting.filter(({ wanted, found }) => !wanted(frame) || found(frame));
    }
  }
}
