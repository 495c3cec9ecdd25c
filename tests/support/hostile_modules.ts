/** Filters that mean harm, by what they do, each with what a client of its own route may see of it. */
import { CALLBACKS } from "../../wasm/proxy_wasm/guest.ts";
import { SIGNATURES } from "../../wasm/proxy_wasm/signatures.ts";
import type { WatOptions } from "../../wasm/testing/harness.ts";

export interface Hostile {
  readonly body: string;
  readonly wat?: WatOptions;
  /** Status and denim-fault of the first answer on the route when the filter fails closed. */
  readonly answer: RegExp;
  /** What the report says of its last trap; absent: it does not trap. */
  readonly trap?: RegExp;
}

const HEADERS = "(param $id i32) (param $n i32) (param $end i32) (result i32)";

/** A callback for request headers around `code`, which may leave it early. */
function onRequest(code: string, locals = ""): string {
  return `(func (export "proxy_on_request_headers") ${HEADERS} ${locals} ${code} (i32.const 0))`;
}

const OUT_OF_FUEL = { answer: /^503 wasm\.out_of_fuel$/, trap: /^Out of fuel after/ };
const TRAPPED = { answer: /^503 wasm\.trapped$/ };
const HARMLESS = { answer: /^200 null$/ };
const LOOP = "(loop $l (br $l))";

const loops: Readonly<Record<string, Hostile>> = {
  "br to a loop": { body: onRequest(LOOP), ...OUT_OF_FUEL },
  "br_if to a loop": { body: onRequest("(loop $l (br_if $l (i32.const 1)))"), ...OUT_OF_FUEL },
  "br_table to a loop": {
    body: onRequest("(loop $l (br_table $l $l (i32.const 0)))"),
    ...OUT_OF_FUEL,
  },
  "a tail call of itself": {
    body: `(func $f (return_call $f)) ${onRequest("(call $f)")}`,
    ...OUT_OF_FUEL,
  },
  "a tail call through a table": {
    body: `(table 1 funcref) (elem (i32.const 0) $f)
      (func $f (return_call_indirect (i32.const 0))) ${onRequest("(call $f)")}`,
    ...OUT_OF_FUEL,
  },
  "an exception caught for ever": {
    body: `(tag $x) ${
      onRequest(`(loop $l (block $h (try_table (catch $x $h) (throw $x))) (br $l))`)
    }`,
    ...OUT_OF_FUEL,
  },
  "memory.fill of all memory for ever": {
    body: onRequest(
      "(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 1310720)) (br $l))",
    ),
    ...OUT_OF_FUEL,
  },
  "memory.copy of all memory for ever": {
    body: onRequest(
      "(loop $l (memory.copy (i32.const 0) (i32.const 1) (i32.const 1310719)) (br $l))",
    ),
    ...OUT_OF_FUEL,
  },
  "table.fill for ever": {
    body: `(table 10000 funcref) ${
      onRequest(
        "(loop $l (table.fill (i32.const 0) (ref.null func) (i32.const 10000)) (br $l))",
      )
    }`,
    ...OUT_OF_FUEL,
  },
  "functions that clear 49,000 locals": {
    body: `(func $g (local ${"i64 ".repeat(49_000)})) ${onRequest("(loop $l (call $g) (br $l))")}`,
    ...OUT_OF_FUEL,
  },
  "products of denormal numbers": {
    body: onRequest(
      `(local.set $d (f64.const 0x1p-1040)) (loop $l ${
        "(local.set $d (f64.mul (local.get $d) (f64.const 1.0000001)))".repeat(30)
      } (br $l))`,
      "(local $d f64)",
    ),
    ...OUT_OF_FUEL,
  },
  "host calls for ever": {
    body: onRequest("(loop $l (drop (call $proxy_continue_stream (i32.const 9))) (br $l))"),
    ...OUT_OF_FUEL,
  },
  "host calls through a table for ever": {
    body: `(type $done (func (result i32))) (table 1 funcref) (elem (i32.const 0) $proxy_done) ${
      onRequest("(loop $l (drop (call_indirect (type $done) (i32.const 0))) (br $l))")
    }`,
    ...TRAPPED,
    trap: /^More than 250000 host calls/,
  },
};

const memory: Readonly<Record<string, Hostile>> = {
  "recursion without end": {
    body: `(func $f (call $f) (nop)) ${onRequest("(call $f)")}`,
    ...TRAPPED,
    trap: /Stack overflow/,
  },
  "mutual recursion": {
    body: `(func $f (call $g) (nop)) (func $g (call $f) (nop)) ${onRequest("(call $f)")}`,
    ...TRAPPED,
    trap: /Stack overflow/,
  },
  "recursion through a table": {
    body: `(table 1 funcref) (elem (i32.const 0) $f)
      (func $f (call_indirect (i32.const 0)) (nop)) ${onRequest("(call $f)")}`,
    ...TRAPPED,
    trap: /Stack overflow/,
  },
  "memory that grows to its ceiling, and an abort": {
    body: onRequest(
      `(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable`,
    ),
    ...TRAPPED,
    trap: /^Out of memory at its limit/,
  },
  "memory that grows to its ceiling and goes on": {
    body: onRequest(`(drop (memory.grow (i32.const 44)))`),
    ...HARMLESS,
  },
  "tables that grow to their ceiling": {
    body: `(table 0 funcref) ${
      onRequest(
        `(loop $l (br_if $l (i32.ne (table.grow (ref.null func) (i32.const 5000)) (i32.const -1))))`,
      )
    }`,
    ...HARMLESS,
  },
  "a store outside its memory": {
    body: onRequest("(i64.store offset=0xfffffff0 (i32.const -1) (i64.const 1))"),
    ...TRAPPED,
    trap: /^Bad memory access/,
  },
};

/** An allocator, and a callback that has the host use it. */
function allocator(code: string, more = ""): Pick<Hostile, "body" | "wat"> {
  return {
    wat: { allocator: `(func $alloc (export "malloc") (param $size i32) (result i32) ${code})` },
    body: `${more} (data (i32.const 300) "x-h") ${
      onRequest(
        `(drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 16) (i32.const 20)))
         (drop (call $proxy_get_header_map_value (i32.const 0) (i32.const 300) (i32.const 3)
           (i32.const 16) (i32.const 20)))`,
      )
    }`,
  };
}

const allocators: Readonly<Record<string, Hostile>> = {
  "an allocator that gives nothing": { ...allocator("(i32.const 0)"), ...HARMLESS },
  "an allocator that points outside": { ...allocator("(i32.const -16)"), ...HARMLESS },
  "an allocator that points at the last byte": { ...allocator("(i32.const 1310719)"), ...HARMLESS },
  "an allocator that gives the same place twice": { ...allocator("(i32.const 8)"), ...HARMLESS },
  "an allocator that loops": { ...allocator(`${LOOP} (i32.const 0)`), ...OUT_OF_FUEL },
  "an allocator that traps": { ...allocator("unreachable"), ...TRAPPED, trap: /unreachable/ },
  "an allocator that grows the memory": {
    ...allocator("(i32.mul (memory.grow (i32.const 1)) (i32.const 65536))"),
    ...HARMLESS,
  },
  "an allocator that asks for data itself": {
    ...allocator(
      `(drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 24) (i32.const 28)))
       (i32.const 4096)`,
    ),
    ...HARMLESS,
  },
  "an allocator that changes what is being read": {
    ...allocator(
      `(drop (call $proxy_add_header_map_value (i32.const 0) (i32.const 300) (i32.const 3)
         (i32.const 300) (i32.const 3))) (i32.const 4096)`,
    ),
    ...HARMLESS,
  },
  "an allocator that answers in place of the upstream": {
    ...allocator(
      `(drop (call $proxy_send_local_response (i32.const 418) (i32.const 0) (i32.const 0)
         (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1))) (i32.const 4096)`,
    ),
    answer: /^418 null$/,
  },
  "an allocator that returns an i64": {
    wat: { allocator: `(func (export "malloc") (param i32) (result i64) (i64.const 8))` },
    body: allocator("").body,
    ...TRAPPED,
    trap: /BigInt/,
  },
  "an allocator that is a host call": {
    wat: { allocator: `(export "malloc" (func $proxy_done))` },
    body: `${allocator("").body} (func (result i32) (call $proxy_done))`,
    ...HARMLESS,
  },
};

/** Each host call with the same number for every argument. */
function everyCall(value: number): string {
  const skipped = new Set(["proc_exit", "proxy_close_stream"]);
  return Object.entries(SIGNATURES).filter(([name]) => !skipped.has(name.split(".")[1]!)).map(
    ([name, params]) =>
      `(drop (call $${name} ${
        [...params].map((p) => p === "i" ? `(i32.const ${value})` : `(i64.const ${value})`).join(
          " ",
        )
      }))`,
  ).join("\n");
}

const IMPORTS = Object.entries(SIGNATURES).map(([name, params]) => {
  const [module, field] = name.split(".");
  const types = [...params].map((p) => p === "i" ? "i32" : "i64").join(" ");
  return `(import "${module}" "${field}" (func $${name} (param ${types}) (result i32)))`;
}).join("\n");

/** From every callback there is, so that calls come where nothing of a stream is there any more. */
function fromEverywhere(code: string): string {
  const three = ["request_headers", "request_body", "response_headers", "response_body"];
  return `(func $all ${code}) ${
    three.map((at) =>
      `(func (export "proxy_on_${at}") (param i32 i32 i32) (result i32) (call $all) (i32.const 0))`
    ).join("\n")
  } (func (export "proxy_on_log") (param i32) (call $all))
    (func (export "proxy_on_delete") (param i32) (call $all))
    (func (export "proxy_on_tick") (param i32) (call $all))`;
}

const POINTERS = [0, 1, 7, 0xffff, 1310719, 0x7fffffff, -1, -16, -0x80000000];

const pointers: Readonly<Record<string, Hostile>> = Object.fromEntries(
  POINTERS.map((value) => [`every host call with ${value} for every argument`, {
    body: fromEverywhere(everyCall(value)),
    wat: { imports: IMPORTS, allocator: BUMP() },
    answer: /^200 null$/,
  }]),
);

/** An allocator that cannot run out. */
function BUMP(): string {
  return `(func (export "malloc") (param i32) (result i32) (i32.const 65536))`;
}

/** Header pairs at 1024, given to the host as the whole map and as those of an answer. */
function pairs(bytes: string, size: number): string {
  return `(data (i32.const 1024) "${bytes}") ${
    onRequest(
      `(drop (call $proxy_set_header_map_pairs (i32.const 0) (i32.const 1024) (i32.const ${size})))
       (drop (call $proxy_send_local_response (i32.const 200) (i32.const 0) (i32.const 0)
         (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const ${size}) (i32.const -1)))`,
    )
  }`;
}

const maps: Readonly<Record<string, Hostile>> = {
  "a map of four billion pairs": { body: pairs("\\ff\\ff\\ff\\ff", 4), ...HARMLESS },
  "a map whose lengths overflow": {
    body: pairs("\\01\\00\\00\\00\\ff\\ff\\ff\\ff\\02\\00\\00\\00a\\00b\\00", 16),
    ...HARMLESS,
  },
  "a map cut short": { body: pairs("\\02\\00\\00\\00\\01\\00\\00\\00", 8), ...HARMLESS },
  "a map of a megabyte of nothing": { body: pairs("\\00\\00\\01\\00", 1048577), ...HARMLESS },
  "a header that would end the message": {
    body: pairs(
      "\\01\\00\\00\\00\\01\\00\\00\\00\\0c\\00\\00\\00a\\00b\\0d\\0a\\0d\\0aGET / \\00",
      27,
    ),
    ...HARMLESS,
  },
  "headers of framing": {
    body: pairs(
      "\\01\\00\\00\\00\\11\\00\\00\\00\\07\\00\\00\\00transfer-encoding\\00chunked\\00",
      38,
    ),
    answer: /^200 null$/,
  },
  "an answer of status 9": {
    body: onRequest(
      `(drop (call $proxy_send_local_response (i32.const 9) (i32.const 0) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))`,
    ),
    ...HARMLESS,
  },
};

const TAKES: Readonly<Record<string, string>> = {
  proxy_on_log: "i32",
  proxy_on_done: "i32",
  proxy_on_delete: "i32",
  proxy_on_context_create: "i32 i32",
};

const NO_RESULT = new Set(["proxy_on_log", "proxy_on_delete", "proxy_on_context_create"]);

/** A trap in each callback of a stream; in the root's they keep a module from starting. */
const traps: Readonly<Record<string, Hostile>> = Object.fromEntries(
  Object.values(CALLBACKS).filter((name) =>
    /request|response|log|done|delete|context_create/.test(name) &&
    !/trailers|foreign|call_response/.test(name)
  ).map((name) => {
    const create = name === "proxy_on_context_create";
    const late = /log|done|delete|_body/.test(name);
    return [`a trap in ${name}`, {
      body: `${name.includes("headers") ? "" : onRequest("")} (func (export "${name}") (param ${
        TAKES[name] ?? "i32 i32 i32"
      }) ${NO_RESULT.has(name) ? "" : "(result i32)"} ${
        create ? "(if (local.get 1) (then unreachable))" : "unreachable"
      })`,
      answer: late ? /^(200|503|cut) / : /^503 wasm\.trapped$/,
      trap: /^Trap: unreachable/,
    }];
  }),
);

const answers: Readonly<Record<string, Hostile>> = {
  "a callback that takes i64": {
    body:
      `(func (export "proxy_on_request_headers") (param i64 i32 i32) (result i32) (i32.const 0))`,
    ...TRAPPED,
    trap: /BigInt/,
  },
  "a callback that returns an i64": {
    body:
      `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i64) (i64.const 1))`,
    ...HARMLESS,
  },
  "a callback that returns no number": {
    body:
      `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result f64) (f64.const nan))`,
    ...HARMLESS,
  },
  "a callback that returns two numbers": {
    body: `(func (export "proxy_on_request_headers") (result i32 i32) (i32.const 1) (i32.const 1))`,
    ...HARMLESS,
  },
  "a callback that returns a reference": {
    body: `(func (export "proxy_on_request_headers") (result funcref) (ref.null func))`,
    ...HARMLESS,
  },
  "a callback that is a number": {
    body: `(global (export "proxy_on_request_headers") i32 (i32.const 1))`,
    ...HARMLESS,
  },
  "a callback that is a host call": {
    body: `(export "proxy_on_request_headers" (func $proxy_log))
      (func (result i32) (call $proxy_log (i32.const 0) (i32.const 0) (i32.const 0)))`,
    answer: /^(200|503|504) /,
  },
  "an exception nobody catches": {
    body: `(tag $x) ${onRequest("(throw $x)")}`,
    ...TRAPPED,
    trap: /exception/,
  },
  "a catch of what ends it": {
    body: `${
      onRequest(
        `(loop $l (block $h (try_table (catch_all $h) (call $exit (i32.const 0)))) (br $l))`,
      )
    }`,
    wat: { imports: `(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))` },
    ...OUT_OF_FUEL,
  },
  "a catch of what ends it, through a table": {
    body: `(type $exits (func (param i32))) (table 1 funcref) (elem (i32.const 0) $exit) ${
      onRequest(
        `(loop $l (block $h (try_table (catch_all $h)
           (call_indirect (type $exits) (i32.const 0) (i32.const 0)))) (br $l))`,
      )
    }`,
    wat: { imports: `(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))` },
    ...OUT_OF_FUEL,
  },
  "a catch of what a host call costs": {
    body: onRequest(
      `(loop $l (block $h (try_table (catch_all $h)
         (loop $m (drop (call $proxy_get_property (i32.const 0) (i32.const 1024) (i32.const 0)
           (i32.const 0))) (br $m)))) (br $l))`,
    ),
    ...OUT_OF_FUEL,
  },
};

const floods: Readonly<Record<string, Hostile>> = {
  "a flood of log lines": {
    body: onRequest(
      `(loop $l (drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 4096))) (br $l))`,
    ),
    answer: /^503 wasm\.(out_of_fuel|trapped)$/,
    trap: /^(Out of fuel|Host calls copied)/,
  },
  "a flood of metrics": {
    body: onRequest(
      `(loop $l (i32.store (i32.const 64) (local.tee $i (i32.add (local.get $i) (i32.const 1))))
         (drop (call $proxy_define_metric (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 32)))
         (br $l))`,
      "(local $i i32)",
    ),
    ...OUT_OF_FUEL,
  },
  "a flood of shared data": {
    body: onRequest(
      `(loop $l (i32.store (i32.const 64) (local.tee $i (i32.add (local.get $i) (i32.const 1))))
         (drop (call $proxy_set_shared_data (i32.const 64) (i32.const 4) (i32.const 0)
           (i32.const 1000) (i32.const 0))) (br_if $l (i32.lt_u (local.get $i) (i32.const 5000))))`,
      "(local $i i32)",
    ),
    ...HARMLESS,
  },
  "a flood of headers": {
    body: onRequest(
      `(i32.store (i32.const 64) (i32.const 0x61612d78))
       (loop $l
         (drop (call $proxy_add_header_map_value (i32.const 0) (i32.const 64) (i32.const 4)
           (i32.const 64) (i32.const 4)))
         (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
           (i32.const 5000))))`,
      "(local $i i32)",
    ),
    // What a filter may add to a head is more than an upstream takes.
    answer: /^(200|400|431|502|503) /,
  },
  "a flood of properties": {
    body: onRequest(
      `(loop $l (i32.store (i32.const 64) (local.tee $i (i32.add (local.get $i) (i32.const 1))))
         (drop (call $proxy_set_property (i32.const 64) (i32.const 4) (i32.const 0)
           (i32.const 60000))) (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))`,
      "(local $i i32)",
    ),
    ...HARMLESS,
  },
};

/** Everything, by what it does. */
export const HOSTILE: Readonly<Record<string, Hostile>> = {
  ...loops,
  ...memory,
  ...allocators,
  ...pointers,
  ...maps,
  ...traps,
  ...answers,
  ...floods,
};
