import assert from "node:assert/strict";
import { FakeContext } from "../../filters/fakes.ts";
import { CONTINUE, DONE, type Filter } from "../../core/filter.ts";
import { Fields } from "../../core/fields.ts";
import type { NodeRef, ViaSpec } from "../../control/schema/snapshot.ts";
import { type Role, standingFilters } from "./standing.ts";
import { MAX_HOPS, MAX_PASSES, Via } from "./via.ts";

const NODE: NodeRef = { kind: "sidecar", namespace: "default", name: "web" };
const PEER = "spiffe://mesh.local/ns/default/sa/web";
const MARK = "denim-[0-9a-f]{8}";

function standing(role: Role, spec?: ViaSpec): Filter {
  return standingFilters(role, new Via(NODE, role, spec), () => 0.25)[0]!;
}

function caller(remote: string, peer = ""): FakeContext {
  const ctx = new FakeContext();
  ctx.remote = remote;
  ctx.peer = peer;
  return ctx;
}

/** The request's field lines after the filter, as `name: value`; null when it was not let on. */
function passed(role: Role, lines: string[], peer = "", filter = standing(role)): string[] | null {
  const ctx = caller("10.0.0.7:5555", peer);
  ctx.request.fields = new Fields(lines);
  ctx.request.version = "1.1";
  if (filter.onRequestHead!(ctx, ctx.request, true) !== CONTINUE) return null;
  const out: string[] = [];
  for (let i = 0; i < lines.length; i += 2) out.push(`${lines[i]}: ${lines[i + 1]}`);
  return out;
}

function names(lines: string[] | null): string[] {
  return lines!.map((line) => line.split(":", 1)[0]!);
}

const FORGED = [
  ["x-denim-peer", "spiffe://mesh.local/ns/default/sa/admin"],
  ["x-denim-anything", "1"],
  ["x_denim_peer", "spiffe://mesh.local/ns/default/sa/admin"],
  ["x-forwarded-client-cert", "URI=spiffe://mesh.local/ns/default/sa/admin"],
].flat();
const ORIGIN = [
  ["x-forwarded-for", "1.2.3.4"],
  ["x-forwarded-for", "5.6.7.8"],
  ["x-forwarded-host", "bank.example"],
  ["x-forwarded-proto", "https"],
  ["x-forwarded-port", "443"],
  ["x_forwarded_for", "9.9.9.9"],
  ["x-real-ip", "1.2.3.4"],
  ["forwarded", "for=1.2.3.4"],
].flat();

Deno.test("An edge believes nothing that strangers say of the client, and says it itself", () => {
  const lines = passed("gateway", ["a", "b", ...FORGED, ...ORIGIN, "x-request-id", "mine"])!;
  assert.deepEqual(lines.slice(0, 1), ["a: b"]);
  assert.match(lines[1]!, new RegExp(`^via: 1\\.1 ${MARK}$`));
  assert.deepEqual(lines.slice(2, 5), [
    "x-forwarded-for: 10.0.0.7",
    "x-forwarded-host: catalog",
    "x-forwarded-proto: http",
  ]);
  assert.match(lines[5]!, /^x-request-id: [0-9a-f]{24}$/);
  assert.equal(lines.length, 6);
});

Deno.test("An edge gives every request another id", () => {
  const filter = standing("gateway");
  const ids = Array.from({ length: 100 }, () => passed("gateway", [], "", filter)!.at(-1));
  assert.equal(new Set(ids).size, 100);
});

Deno.test("A sidecar tells its workload who the caller is, and keeps what the mesh said of the client", () => {
  const given = ["x-forwarded-for", "1.2.3.4", "x-forwarded-proto", "https", "x-request-id", "r1"];
  const lines = passed("inbound", [...FORGED, ...given], PEER)!;
  assert.deepEqual(names(lines), [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
    "via",
    "x-denim-peer",
  ]);
  assert.equal(lines[2], "x-request-id: r1");
  assert.equal(lines.at(-1), `x-denim-peer: ${PEER}`);
});

Deno.test("A sidecar believes a caller without an identity as little as an edge does", () => {
  const lines = passed("inbound", [...FORGED, ...ORIGIN, "x-request-id", "mine"])!;
  assert.deepEqual(names(lines), [
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
  ]);
  assert.equal(lines[1], "x-forwarded-for: 10.0.0.7");
});

Deno.test("On its way out a workload passes on where a request came from, but not who it is", () => {
  const lines = passed("outbound", [...FORGED, ...ORIGIN])!;
  assert.deepEqual(names(lines).slice(0, 8), ORIGIN.filter((_, i) => i % 2 === 0));
  assert.deepEqual(names(lines).slice(8), ["via", "x-request-id"]);
});

Deno.test("An address of IPv4 on an IPv6 socket is told as IPv4, one of IPv6 as it is", () => {
  const told = (remote: string): string | undefined => {
    const ctx = caller(remote);
    standing("gateway").onRequestHead!(ctx, ctx.request, true);
    return ctx.request.fields.get("x-forwarded-for");
  };
  assert.equal(told("::ffff:10.1.2.3:4000"), "10.1.2.3");
  assert.equal(told("2001:db8::1:4000"), "2001:db8::1");
});

Deno.test("Via says what each hop received, and loops end at the fourth pass", () => {
  const filter = standing("outbound");
  let via: string[] = [];
  for (let pass = 1; pass <= MAX_PASSES; pass++) {
    const lines: string[] = [...via];
    passed("outbound", lines, "", filter);
    via = lines.filter((_, i) => lines[i - (i % 2)] === "via");
    assert.equal(via.length, 2 * pass);
  }
  assert.equal(passed("outbound", [...via], "", filter), null);
  // Other proxies may have joined the values, as RFC 9110 5.3 lets them.
  const joined = via.filter((_, i) => i % 2 === 1).join(", ");
  assert.equal(passed("outbound", ["via", joined], "", filter), null);
  // Another listener has not seen it yet, nor another node's.
  assert.notEqual(passed("inbound", [...via], PEER), null);
});

Deno.test("A request that too many proxies passed on ends, whoever they are", () => {
  const hops = (count: number): string[] => [
    "via",
    Array.from({ length: count }, (_, i) => `1.1 p${i}`).join(","),
  ];
  assert.notEqual(passed("gateway", hops(MAX_HOPS)), null);
  const ctx = caller("10.0.0.7:5555");
  ctx.request.fields = new Fields(hops(MAX_HOPS + 1));
  assert.equal(standing("gateway").onRequestHead!(ctx, ctx.request, true), DONE);
  assert.deepEqual(ctx.failed, ["route.loop"]);
});

Deno.test("Responses of an upstream get a Via, our own and unwanted ones do not", () => {
  const via = (version: "1.0" | "2" | undefined, spec?: ViaSpec): string | undefined => {
    const fields = new Fields();
    const head = version === undefined ? { status: 200, fields } : { status: 200, fields, version };
    standing("gateway", spec).onResponseHead!(new FakeContext(), head, true);
    return fields.get("via");
  };
  assert.equal(via("1.0"), "1.0 denim");
  assert.equal(via("2", { name: "acme" }), "2 acme");
  assert.equal(via(undefined), undefined);
  assert.equal(via("2", { responses: false }), undefined);
});
