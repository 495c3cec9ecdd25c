/** The choice between two protocols by the first bytes, wherever they are cut. */
import assert from "node:assert/strict";
import { type Codec, HEAD, IDLE, type Wire } from "../core/stream.ts";
import { PREFACE } from "./h2/frame.ts";
import { Sniffer } from "./sniff.ts";

/** A sniffer on a connection of its own, and what the codec it chose was told. */
class Rig {
  readonly calls: string[] = [];
  received = "";
  chosen: "h1" | "h2" | null = null;
  codec: Codec;

  constructor() {
    const wire = { end: () => void this.calls.push("end") } as unknown as Wire;
    this.codec = new Sniffer(wire, (h2) => {
      this.chosen = h2 ? "h2" : "h1";
      return this.codec = this.#chosen();
    });
  }

  feed(text: string, size = text.length): this {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += size) {
      this.codec.receive(bytes.subarray(at, at + size));
    }
    return this;
  }

  #chosen(): Codec {
    return {
      protocol: "h1",
      phase: IDLE,
      receive: (bytes) => void (this.received += new TextDecoder().decode(bytes)),
      eof: () => void this.calls.push("eof"),
      drained: () => {},
      drain: () => void this.calls.push("drain"),
      close: () => void this.calls.push("close"),
    };
  }
}

const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const CASES: readonly (readonly [string, "h1" | "h2"])[] = [
  [PREFACE, "h2"],
  [`${PREFACE}and frames`, "h2"],
  [REQUEST, "h1"],
  ["P", "h1"], // and then the end
  ["POST / HTTP/1.1\r\n", "h1"],
  ["PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", "h1"],
  ["PRI * HTTP/2.0\r\nhost: a\r\n\r\n", "h1"],
  [PREFACE.slice(0, -1) + "x", "h1"],
  ["\r\n", "h1"],
];

for (const [text, wanted] of CASES) {
  Deno.test(`Sniffer gives ${JSON.stringify(text)} to ${wanted}, in any split`, () => {
    for (let size = 1; size <= text.length; size++) {
      const rig = new Rig().feed(text, size);
      if (rig.chosen === null) rig.codec.eof();
      assert.equal(rig.chosen, wanted, `pieces of ${size}`);
      assert.equal(rig.received, text, `pieces of ${size}`);
    }
  });
}

Deno.test("Sniffer waits for a byte as an idle connection, and for the next one as an unfinished head", () => {
  const rig = new Rig();
  assert.equal(rig.codec.phase, IDLE);
  rig.feed("PRI ");
  assert.equal(rig.codec.phase, HEAD);
  assert.equal(rig.chosen, null);
});

Deno.test("Sniffer ends a connection that has said nothing when the listener drains or its peer ends", () => {
  for (const act of ["drain", "eof"] as const) {
    const rig = new Rig();
    rig.codec[act]();
    assert.deepEqual(rig.calls, ["end"]);
    assert.equal(rig.chosen, null);
  }
});

Deno.test("Sniffer lets a request that has begun be read to its end before it drains", () => {
  const rig = new Rig().feed("P");
  rig.codec.drain();
  rig.feed("OST / HTTP/1.1\r\n");
  assert.equal(rig.received, "POST / HTTP/1.1\r\n");
  assert.deepEqual(rig.calls, ["drain"]);
});
