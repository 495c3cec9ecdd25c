/** The life of a guest: start, allocator, imports, WASI. */
import assert from "node:assert/strict";
import { type AbiCase, event, int, note, ok, on, OUT, SAY, words } from "./abi_case.ts";

const W = words("x-twice", "first ", "second", "no end", "line\n");
const GET = `(call $proxy_get_header_map_value ${int(0)} ${W.ref("x-twice")} ${OUT})`;
const head = (code: string): string => W.wat + on("proxy_on_request_headers", code);
const allocator = (code: string): string =>
  `(func (export "proxy_on_memory_allocate") (param i32) (result i32) ${code})`;

const ALLOCATORS: readonly AbiCase[] = [
  {
    name: "allocator: one that gives 0 is an error of the host call, not a trap",
    wat: head(note(GET)),
    options: { allocator: allocator(int(0)) },
    notes: ["6"],
  },
  {
    name: "allocator: one that is missing is an error of the host call, not a trap",
    wat: head(note(GET)),
    options: { allocator: "" },
    notes: ["6"],
  },
  {
    name: "allocator: malloc serves where proxy_on_memory_allocate is missing",
    wat: head(ok(GET) + SAY),
    options: { allocator: `(func (export "malloc") (param i32) (result i32) ${int(8192)})` },
    notes: ["1"],
  },
  {
    name: "allocator: one may log, but what it asks for itself has nowhere to go",
    wat: head(note(GET) + SAY),
    options: {
      allocator: allocator(
        `(call $say ${W.ref("first ")})
         (call $note (call $proxy_get_header_map_value ${int(0)} ${W.ref("x-twice")} ${int(64)} ${
          int(68)
        }))
         ${int(8192)}`,
      ),
    },
    notes: ["first ", "6", "0", "1"],
  },
  {
    name: "allocator: memory that grows in it, or between two host calls, is seen",
    wat: head(
      ok(GET) + `(drop (memory.grow ${int(3)}))` + SAY + ok(GET) + SAY +
        `(i32.store8 (i32.load (i32.const 16)) (i32.const 50))` + SAY,
    ),
    options: {
      allocator: allocator(`(i32.mul (memory.grow ${int(1)}) (i32.const 65536))`),
    },
    notes: ["1", "1", "2"],
  },
];

const wasi = (name: string, params: string, module = "wasi_snapshot_preview1"): string =>
  `(import "${module}" "${name}" (func $${name} (param ${params}) (result i32)))`;
const FD_WRITE = wasi("fd_write", "i32 i32 i32 i32");
/** Two parts at 3000: "first " and what follows it. */
const iovecs = (second: "second" | "no end" | "line\n"): string => {
  const [at, size] = W.ref("first ").split(") (");
  const [next, rest] = W.ref(second).split(") (");
  return [[0, `${at})`], [4, `(${size}`], [8, `${next})`], [12, `(${rest}`]]
    .map(([offset, value]) => `(i32.store offset=${offset} (i32.const 3000) ${value})`).join("\n");
};
const WRITE = (fd: number): string =>
  `(call $fd_write ${int(fd)} (i32.const 3000) ${int(2)} (i32.const 64))`;

const IMPORTS: readonly AbiCase[] = [
  {
    name: "imports: one that nobody knows is a stub that fails, not a link error",
    wat: head(note("(call $mystery (i64.const 1))")),
    options: { imports: '(import "env" "mystery" (func $mystery (param i64) (result i32)))' },
    notes: ["10"],
  },
  {
    name: "imports: a stub answers in the type that was declared",
    wat: head(note("(i32.wrap_i64 (call $mystery))")),
    options: { imports: '(import "env" "mystery" (func $mystery (result i64)))' },
    notes: ["10"],
  },
  {
    name: "wasi: fd_write joins its parts into one line, and says how many bytes",
    wat: head(iovecs("line\n") + ok(WRITE(1)) + note("(i32.load (i32.const 64))")),
    options: { imports: FD_WRITE },
    notes: ["first line", "11"],
  },
  {
    name: "wasi: fd_write of a line without an end is a line",
    wat: head(iovecs("no end") + ok(WRITE(2))),
    options: { imports: FD_WRITE },
    notes: ["first no end"],
  },
  {
    name: "wasi: fd_write to anything but standard output and error is EBADF",
    wat: head(iovecs("second") + note(WRITE(3))),
    options: { imports: FD_WRITE },
    notes: ["8"],
  },
  {
    name: "wasi: the module's old name has the same functions",
    wat: head(iovecs("second") + ok(WRITE(1))),
    options: { imports: wasi("fd_write", "i32 i32 i32 i32", "wasi_unstable") },
    notes: ["first second"],
  },
  {
    name: "wasi: random_get gives 64 KiB and refuses more",
    wat: head(
      note("(call $random_get (i32.const 65536) (i32.const 65536))") +
        note("(call $random_get (i32.const 65536) (i32.const 65537))"),
    ),
    options: { imports: wasi("random_get", "i32 i32"), memory: '(memory (export "memory") 3)' },
    notes: ["0", "28"],
  },
  {
    name: "wasi: poll_oneoff succeeds without events",
    wat: head(
      "(i32.store (i32.const 64) (i32.const 5))" +
        note("(call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 64))") +
        note("(i32.load (i32.const 64))"),
    ),
    options: { imports: wasi("poll_oneoff", "i32 i32 i32 i32") },
    notes: ["0", "0"],
  },
];

const EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))';

const STARTS: readonly AbiCase[] = [
  {
    name: "start: _start that ends by proc_exit(0) has started",
    wat: head(note(int(1))) + event("_start", "", "(call $exit (i32.const 0))"),
    options: { imports: EXIT },
    notes: ["1"],
  },
  {
    name: "start: _start that ends by proc_exit(1) has not",
    wat: head("") + event("_start", "", "(call $exit (i32.const 1))"),
    options: { imports: EXIT },
    refused: /proc_exit\(1\)/,
  },
  {
    name: "start: where there is _initialize, main follows and _start does not run",
    wat: head("") + event("_initialize", "", note(int(1))) + event("_start", "", "unreachable") +
      `(func (export "main") (param i32 i32) (result i32) ${note(int(2))} ${int(0)})`,
    notes: ["1", "2"],
  },
  {
    name: "start: a module without callbacks has no hooks and is in force",
    wat: "",
    run: ({ filter }) => {
      assert.equal(filter.onRequestHead, undefined);
      assert.equal(filter.onResponseData, undefined);
    },
  },
  {
    name: "start: vm_start, then configure, both on the root context",
    wat: on("proxy_on_vm_start", note(int(7)) + note("(local.get 0)"), 1) +
      on("proxy_on_configure", note(int(8)) + note("(local.get 0)"), 1),
    run: () => {},
    notes: ["7", "1", "8", "1"],
  },
  {
    name: "start: a callback of 0.1.0 takes two parameters",
    wat: `(func (export "proxy_on_request_headers") (param i32 i32) (result i32)
      ${note("(local.get 1)")} (i32.const 0))`,
    options: { abi: "0_1_0" },
    notes: ["7"],
  },
];

export const LIFE: readonly AbiCase[] = [...ALLOCATORS, ...IMPORTS, ...STARTS];
