/** For tests only: policies as people think of them, and exchanges to judge. */
import type { Claims } from "../../core/claims.ts";
import { principalOf } from "../../core/claims.ts";
import { Fields } from "../../core/fields.ts";
import { CONTINUE } from "../../core/filter.ts";
import { FakeContext, FakeEnv } from "../fakes.ts";
import { createAuthzFilter } from "./filter.ts";

export interface Exchange {
  readonly peer?: string;
  readonly remote?: string;
  readonly method?: string;
  readonly path?: string;
  readonly authority?: string;
  /** Name, value, name, value, … */
  readonly fields?: readonly string[];
  /** Payload of a verified token. */
  readonly token?: Readonly<Record<string, unknown>>;
}

export type WireTest = {
  key: string;
  not?: true;
  name?: string;
  path?: string[];
  values: string[];
};
export type WireRule = { from?: WireTest[][]; to?: WireTest[][]; when?: WireTest[] };
export type WirePolicy = {
  name?: string;
  action?: string;
  dryRun?: true;
  rules: WireRule[];
};
export interface Place {
  readonly l4?: true;
  readonly ports?: readonly number[];
}

export function is(key: string, ...values: string[]): WireTest {
  return { key, values };
}
export function isNot(key: string, ...values: string[]): WireTest {
  return { key, not: true, values };
}

export function wire(policies: readonly WirePolicy[], { l4, ports = [80] }: Place = {}): unknown {
  return {
    trustDomain: "mesh.local",
    ports,
    ...(l4 === undefined ? {} : { l4 }),
    policies: policies.map(({ name, action = "ALLOW", rules, ...rest }, at) => ({
      name: name ?? `default/p${at}`,
      action,
      ...rest,
      rules: rules.map((rule) => ({ from: [], to: [], when: [], ...rule })),
    })),
  };
}

export function contextOf(exchange: Exchange): FakeContext {
  const { peer = "", remote = "127.0.0.1:50000", method, path, authority, fields, token } =
    exchange;
  const ctx = new FakeContext(method, path, authority);
  ctx.peer = peer;
  ctx.remote = remote;
  ctx.request.fields = new Fields([...fields ?? []]);
  ctx.claims = token === undefined ? null : claimsOf(token);
  return ctx;
}

function claimsOf(values: Readonly<Record<string, unknown>>): Claims {
  return { principal: principalOf(values), values };
}

/** Whether a set of policies lets exchanges pass; all through one filter. */
export class Judge {
  readonly env = new FakeEnv();
  readonly #filter;

  constructor(policies: readonly WirePolicy[], place?: Place) {
    this.#filter = createAuthzFilter(wire(policies, place), this.env);
  }

  /** "" when it may pass, else who refused it. */
  refusedBy(exchange: Exchange): string {
    const ctx = contextOf(exchange);
    const verdict = this.#filter.onRequestHead!(ctx, ctx.request, true);
    if (verdict === CONTINUE) {
      if (ctx.refusedBy !== "" || ctx.failed.length > 0) throw new Error("passed and refused");
      return "";
    }
    if (ctx.failed.join() !== "authz.denied") throw new Error(`failed with ${ctx.failed}`);
    return ctx.refusedBy;
  }

  passes(exchange: Exchange): boolean {
    return this.refusedBy(exchange) === "";
  }
}
