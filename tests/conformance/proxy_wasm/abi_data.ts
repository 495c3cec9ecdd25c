/** The ABI's data: header maps, buffers, properties, shared data, queues, metrics. */
import assert from "node:assert/strict";
import { Fields } from "../../../core/fields.ts";
import { pairsWat } from "../../../wasm/testing/wat_data.ts";
import { type AbiCase, int, note, ok, on, OUT, SAY, SIZE, words } from "./abi_case.ts";

const W = words("x-twice", "x-none", "x-empty", "one", "two", "\0\0\0\0", "key", "jobs");
const head = (code: string): string => W.wat + on("proxy_on_request_headers", code);
const get = (name: "x-twice" | "x-none" | "x-empty"): string =>
  `(call $proxy_get_header_map_value ${int(0)} ${W.ref(name)} ${OUT})`;

const PAIRS = pairsWat(["a", "1", "b", "2"]);
/** Ways in which the bytes of a map are no map: a name, and what is stored where. */
const MALFORMED: Readonly<Record<string, readonly [size: number, patch: string]>> = {
  "cut off": [PAIRS.size - 1, ""],
  "a byte too many": [PAIRS.size + 1, ""],
  "cut off within the lengths": [6, ""],
  "a length that overflows": [PAIRS.size, `(i32.store (i32.const 3004) (i32.const -1))`],
  "more pairs than bytes": [PAIRS.size, `(i32.store (i32.const 3000) (i32.const 0x7fffffff))`],
  "a name that is not ended": [PAIRS.size, `(i32.store8 (i32.const 3021) (i32.const 65))`],
};

const HEADERS: readonly AbiCase[] = [
  {
    name: "headers: of several values the first is given",
    wat: head(note(get("x-twice")) + SAY),
    notes: ["0", "1"],
  },
  {
    name: "headers: a missing one is NOT_FOUND in 0.2.x",
    wat: head(note(get("x-none"))),
    notes: ["1"],
  },
  {
    name: "headers: a missing one is OK and empty in 0.1.0",
    wat: W.wat + `(func (export "proxy_on_request_headers") (param i32 i32) (result i32)
      ${note(get("x-none"))} ${SIZE} (i32.const 0))`,
    options: { abi: "0_1_0" },
    notes: ["0", "0"],
  },
  {
    name: "headers: an empty one is OK in 0.2.x",
    wat: head(note(get("x-empty")) + SIZE),
    run: (rig) => void rig.exchange({ fields: new Fields(["x-empty", ""]) }).requestHead(),
    notes: ["0", "0"],
  },
  ...Object.entries(MALFORMED).map(([what, [size, patch]]): AbiCase => ({
    name: `headers: malformed pairs (${what}) are an error and change nothing`,
    wat: `(data (i32.const 3000) "${PAIRS.wat}")` + on(
      "proxy_on_request_headers",
      patch + note(`(call $proxy_set_header_map_pairs ${int(0)} ${int(3000)} ${int(size)})`),
    ),
    run: (rig) => {
      const x = rig.exchange();
      x.requestHead();
      assert.deepEqual(x.request.fields.all("x-twice"), ["1", "2"]);
    },
    notes: ["2"],
  })),
  ...[0, 1, 4].map((size): AbiCase => ({
    name: `headers: no pairs at all may be ${size} bytes`,
    wat: W.wat + on(
      "proxy_on_response_headers",
      ok(
        `(call $proxy_set_header_map_pairs ${int(2)} ${
          W.ref("\0\0\0\0").split(" ").slice(0, 2).join(" ")
        } ${int(size)})`,
      ),
    ),
    run: (rig) => {
      const x = rig.exchange();
      x.responseHead(true, 200, ["x-gone", "1"]);
      assert.equal(x.response!.fields.has("x-gone"), false);
    },
  })),
];

/** What a body "abc" becomes by one proxy_set_buffer_bytes. */
const EDITS: Readonly<Record<string, readonly [start: number, size: number, body: string]>> = {
  "start 0, size 0 prepends": [0, 0, "oneabc"],
  "start at the end appends": [3, 0, "abcone"],
  "start behind the end appends": [99, 5, "abcone"],
  "start 0, whole size replaces": [0, 3, "one"],
  "start 0, a larger size replaces": [0, 4_000_000_000, "one"],
  "a part in the middle is replaced": [1, 1, "aonec"],
};
const body = (code: string): string => W.wat + on("proxy_on_request_body", code);
const read = (buffer: number, start: number, max: number): string =>
  `(call $proxy_get_buffer_bytes ${int(buffer)} ${int(start)} ${int(max)} ${OUT})`;

const BUFFERS: readonly AbiCase[] = [
  ...Object.entries(EDITS).map(([what, [start, size, after]]): AbiCase => ({
    name: `buffers: ${what}`,
    wat: body(
      ok(`(call $proxy_set_buffer_bytes ${int(0)} ${int(start)} ${int(size)} ${W.ref("one")})`),
    ),
    run: (rig) => assert.equal(rig.exchange().requestData("abc", true), after),
  })),
  {
    name: "buffers: a start behind the end reads as nothing",
    wat: body(note(read(0, 4, 1)) + SIZE),
    run: (rig) => void rig.exchange().requestData("abc", true),
    notes: ["0", "0"],
  },
  {
    name: "buffers: a length that overflows is BAD_ARGUMENT, one that is too large is cut",
    wat: body(note(read(0, 2, -1)) + note(read(0, 1, 99)) + SAY),
    run: (rig) => void rig.exchange().requestData("abc", true),
    notes: ["2", "0", "bc"],
  },
  {
    name: "buffers: one that is not there is NOT_FOUND, one that nobody knows BAD_ARGUMENT",
    wat: head(note(read(1, 0, 9)) + note(read(99, 0, 9))),
    notes: ["1", "2"],
  },
  {
    name: "buffers: configuration is read-only",
    wat: head(note(`(call $proxy_set_buffer_bytes ${int(7)} ${int(0)} ${int(0)} ${W.ref("one")})`)),
    notes: ["2"],
  },
];

const P = words("request\0size", "connection\0mtls", "request\0headers", "response\0code", "a\0b");
const property = (path: Parameters<typeof P.ref>[0]): string =>
  `(call $proxy_get_property ${P.ref(path)} ${OUT})`;
const AT = (offset: number): string => `(i32.load offset=${offset} (i32.load (i32.const 16)))`;

const PROPERTIES: readonly AbiCase[] = [
  {
    name: "properties: an integer is eight bytes, little-endian",
    wat: P.wat +
      on(
        "proxy_on_request_headers",
        ok(property("request\0size")) + SIZE + note(AT(0)) + note(AT(4)),
      ),
    run: (rig) => void rig.exchange({ fields: new Fields(["content-length", "42"]) }).requestHead(),
    notes: ["8", "42", "0"],
  },
  {
    name: "properties: a truth is one byte",
    wat: P.wat + on(
      "proxy_on_request_headers",
      ok(property("connection\0mtls")) + SIZE +
        note("(i32.load8_u (i32.load (i32.const 16)))"),
    ),
    notes: ["1", "1"],
  },
  {
    name: "properties: a map is serialized like a header map",
    wat: P.wat +
      on("proxy_on_request_headers", ok(property("request\0headers")) + note(AT(0)) + note(AT(4))),
    // Four pseudo headers and three fields; the first name is ":authority" or ":method".
    run: (rig) => {
      rig.exchange().requestHead();
      const [count, length] = rig.notes();
      assert.equal(count, "7");
      assert.ok(length === "10" || length === "7", length);
    },
  },
  {
    name: "properties: what is not there yet, or unknown, is NOT_FOUND",
    wat: P.wat +
      on("proxy_on_request_headers", note(property("response\0code")) + note(property("a\0b"))),
    notes: ["1", "1"],
  },
];

const share = (value: "one" | "two", cas: string): string =>
  `(call $proxy_set_shared_data ${W.ref("key")} ${W.ref(value)} ${cas})`;
const shared = `(call $proxy_get_shared_data ${W.ref("key")} ${OUT} (i32.const 24))`;
const CAS = "(i32.load (i32.const 24))";
const define = (type: number): string =>
  `(call $proxy_define_metric ${int(type)} ${W.ref("key")} (i32.const 32))`;
const METRIC = "(i32.load (i32.const 32))";
const take = `(call $proxy_dequeue_shared_queue ${METRIC} ${OUT})`;
const put = (value: "one" | "two"): string =>
  `(call $proxy_enqueue_shared_queue ${METRIC} ${W.ref(value)})`;

const SHARED: readonly AbiCase[] = [
  {
    name: "shared data: a stale compare-and-swap number is CAS_MISMATCH, 0 is unconditional",
    wat: head(
      note(shared) + ok(share("one", int(0))) + ok(shared) +
        "(i32.store (i32.const 40) (i32.load (i32.const 24)))" +
        ok(share("two", CAS)) + note(share("one", "(i32.load (i32.const 40))")) + ok(shared) + SAY +
        ok(share("one", int(0))) + ok(shared) + SAY,
    ),
    notes: ["1", "8", "two", "one"],
  },
  {
    name: "queues: what went in first comes out first, then EMPTY; an unknown one is NOT_FOUND",
    wat: head(
      ok(`(call $proxy_register_shared_queue ${W.ref("jobs")} (i32.const 32))`) +
        ok(put("one")) + ok(put("two")) + ok(take) + SAY + ok(take) + SAY + note(take) +
        `(i32.store (i32.const 32) (i32.const 999))` + note(take),
    ),
    notes: ["one", "two", "7", "1"],
  },
  {
    name: "metrics: a counter does not go down, a gauge may",
    wat: head(
      ok(define(0)) + note(`(call $proxy_increment_metric ${METRIC} (i64.const -1))`) +
        `(i32.store8 (i32.const 1024) (i32.const 71))` +
        ok(define(1).replace(W.ref("key"), W.ref("x-twice"))) +
        note(`(call $proxy_increment_metric ${METRIC} (i64.const -1))`),
    ),
    notes: ["2", "0"],
  },
  {
    name: "metrics: a histogram has no one value, an unknown metric is NOT_FOUND",
    wat: head(
      ok(define(2)) + note(`(call $proxy_get_metric ${METRIC} (i32.const 40))`) +
        note(`(call $proxy_get_metric ${int(999)} (i32.const 40))`),
    ),
    notes: ["2", "1"],
  },
];

export const DATA: readonly AbiCase[] = [...HEADERS, ...BUFFERS, ...PROPERTIES, ...SHARED];
