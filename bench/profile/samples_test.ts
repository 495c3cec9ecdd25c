/** What perf prints becomes shares: natives and kernel code are counted for the function that called them. */
import assert from "node:assert/strict";
import { readSamples, summarise } from "./samples.ts";

const MAP = [{ start: 0x7000, end: 0x7100, name: "flush proxy/connection.ts:97" }];
const DENO = "(/home/me/@deno/linux-x64-glibc/deno)";
const TEXT = `deno    12 
	            7010 JS:*flush (/tmp/perf-12.map)
	         35da39c [unknown] ${DENO}

deno    12 
	ffffffff82005440 tcp_sendmsg_locked ([kernel.kallsyms])
	         35da39d [unknown] ${DENO}
	            7050 [unknown] (//anon)
	         35da39c [unknown] ${DENO}

deno    12 
	ffffffff82005441 do_epoll_wait ([kernel.kallsyms])
	         35da39c [unknown] ${DENO}

V8 DefaultWorke    12 
	           2af44 _int_free (/usr/lib/x86_64-linux-gnu/libc.so.6)

deno    13 
	         35da39c [unknown] ${DENO}
`;

Deno.test("readSamples reads every stack with its process, thread and innermost function", () => {
  const samples = readSamples(TEXT, new Map([[12, MAP]]));
  assert.deepEqual(samples.map(({ pid, kind, under }) => [pid, kind, under]), [
    [12, "javascript", "flush proxy/connection.ts:97"],
    [12, "kernel", "flush proxy/connection.ts:97"],
    [12, "kernel", ""],
    [12, "allocator", ""],
    [13, "native", ""],
  ]);
  assert.equal(samples[3]!.thread, "V8 DefaultWorke");
  assert.equal(samples[1]!.leaf, "tcp_sendmsg_locked");
});

Deno.test("summarise keeps the engine's threads apart and adds to a function what it called", () => {
  const samples = readSamples(TEXT, new Map([[12, MAP]])).filter(({ pid }) => pid === 12);
  const profile = summarise(samples);
  assert.equal(profile.samples, 4);
  assert.deepEqual(profile.kinds, {
    kernel: 50,
    javascript: 25,
    native: 0,
    allocator: 0,
    engineThreads: 25,
  });
  assert.deepEqual(profile.functions, [
    { name: "flush proxy/connection.ts:97", percent: 50, self: 25, kernel: 25, native: 0 },
    { name: "(event loop)", percent: 25, self: 0, kernel: 25, native: 0 },
  ]);
  assert.deepEqual(profile.files, { "proxy/connection.ts": 50, "(event loop)": 25 });
});
