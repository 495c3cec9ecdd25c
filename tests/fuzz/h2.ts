/** Throws damaged conversations and frames in any order at the HTTP/2 codecs: nothing may throw, every split must give the same. */
import {
  conversation,
  type Damage,
  damaged,
  type Op,
  type Speaker,
} from "../property/h2_conversation.ts";
import { clientTrace, serverTrace } from "../property/h2_rig.ts";
import { joined, PREFACE_BYTES, rawFrame } from "../support/h2_frames.ts";
import { type Random, same, split, type Target } from "./target.ts";

function targetOf(codec: "server" | "client"): Target {
  const speaker: Speaker = codec === "server" ? "client" : "server";
  const trace = codec === "server" ? serverTrace : clientTrace;
  let heads = 0;
  return {
    generate(random) {
      if (random(5) === 0) return soup(speaker, random);
      const whole = conversation(speaker, ops(random));
      return random(3) === 0 ? whole : damaged(whole, damages(random));
    },
    attempt(input, random) {
      const whole = trace([input]);
      if (whole.some((line) => line.startsWith("head "))) heads++;
      same(`${codec}: a split changes the events`, trace(split(input, random)), whole);
      // The budget: whatever a peer sends, what it makes us do is in proportion to it.
      const done = whole.reduce((n, line) => n + 10 + line.length, 0);
      if (done > 4000 + 60 * input.length) throw new Error(`${done} for ${input.length} bytes`);
    },
    shallow: (runs) => heads * 4 < runs ? `a head came out of ${heads} inputs of ${runs}` : null,
  };
}

function ops(random: Random): Op[] {
  return Array.from({ length: random(60) }, () => [
    random(2000),
    random(2000),
    random(2000),
    random(2000),
  ]);
}

function damages(random: Random): Damage[] {
  return Array.from({ length: 1 + random(5) }, () => [
    random(10_000),
    random(4),
    random(256),
    random(24),
  ]);
}

/** Frames of any kind in any order, few streams, now and then with a wrong length. */
function soup(speaker: Speaker, random: Random): Uint8Array {
  const parts: Uint8Array[] = [speaker === "client" ? PREFACE_BYTES : new Uint8Array(0)];
  if (random(10) > 0) parts.push(rawFrame(4, 0, 0));
  for (let n = random(60); n > 0; n--) {
    const payload = Uint8Array.from({ length: random(30) }, () => random(256));
    const length = random(40) === 0 ? random(70_000) : payload.length;
    parts.push(rawFrame(random(11), random(256) & random(256), random(12), payload, length));
  }
  return joined(parts);
}

export const server: Target = targetOf("server");
export const client: Target = targetOf("client");
