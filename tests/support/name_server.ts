/** A name server for tests (RFC 1035, UDP): answers A questions from a table, with the ttl it is told. */
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";

export interface Answer {
  readonly addresses: readonly string[];
  readonly ttlS: number;
}

const TYPE_A = 1, RESPONSE = 0x8180, NXDOMAIN = 3, SERVFAIL = 2;

export class NameServer implements AsyncDisposable {
  /** By name; a test may change it at any time. `fail`: the server says that it cannot tell. */
  readonly names = new Map<string, Answer | "fail">();
  /** Every A question, in order. */
  readonly asked: string[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (query, from) => {
      socket.send(this.#answer(new Uint8Array(query)), from.port, from.address);
    });
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", () => resolve()));
    return new NameServer(socket);
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #answer(query: Uint8Array): Uint8Array {
    const labels: string[] = [];
    let at = 12;
    for (let size = query[at]!; size > 0; size = query[at]!) {
      labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + size)));
      at += 1 + size;
    }
    const type = (query[at + 1]! << 8) | query[at + 2]!;
    const name = labels.join(".").toLowerCase();
    if (type === TYPE_A) this.asked.push(name);
    const known = this.names.get(name);
    const code = known === undefined ? NXDOMAIN : known === "fail" ? SERVFAIL : 0;
    const found = type === TYPE_A && known !== undefined && known !== "fail"
      ? known.addresses.map((address) => record(address, known.ttlS))
      : [];
    const head = Buffer.alloc(12);
    head.set(query.subarray(0, 2));
    head.writeUInt16BE(RESPONSE | code, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(found.length, 6);
    return Buffer.concat([head, query.subarray(12, at + 5), ...found]);
  }
}

/** Its name is a pointer to the question's. */
function record(address: string, ttlS: number): Uint8Array {
  const record = Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
  record.writeUInt32BE(ttlS, 6);
  record.set(address.split(".").map(Number), 12);
  return record;
}
