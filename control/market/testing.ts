/** What tests of the marketplace share: a market in a temporary folder, keys, and signed pushes. */
import { systemClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { Market } from "./market.ts";
import { createSigningKey, type SigningKey, signStatement } from "./statement.ts";
import type { Push } from "./types.ts";

/** The smallest filter there is. */
export const NOOP_WAT = `(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))`;

export function manifestOf(fields: Readonly<Record<string, string>> = {}): string {
  const all = {
    apiVersion: "denim.dev/v1",
    name: "acme/noop",
    version: '"1.0.0"',
    title: "Nothing",
    summary: "Does nothing.",
    ...fields,
  };
  return Object.entries(all).map(([name, value]) => `${name}: ${value}\n`).join("");
}

export class TestMarket implements AsyncDisposable {
  readonly dir: string;
  readonly key: SigningKey;
  market: Market;

  private constructor(dir: string, key: SigningKey, market: Market) {
    this.dir = dir;
    this.key = key;
    this.market = market;
  }

  static async open(): Promise<TestMarket> {
    const dir = await Deno.makeTempDir({ prefix: "denim-market-" });
    const market = await Market.open(dir, { clock: systemClock, log: silentLog });
    const key = await createSigningKey("acme");
    await market.addPublisherKey("acme", key.publicKey);
    return new TestMarket(dir, key, market);
  }

  /** What a control plane that was restarted sees. */
  async reopen(): Promise<void> {
    this.market = await Market.open(this.dir, { clock: systemClock, log: silentLog });
  }

  async signed(
    content: string | Uint8Array = NOOP_WAT,
    manifest: string = manifestOf(),
    key: SigningKey = this.key,
  ): Promise<Push> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const name = /^name: (.*)$/m.exec(manifest)?.[1] ?? "";
    const version = /^version: "?([^"\n]*)"?$/m.exec(manifest)?.[1] ?? "";
    return { bytes, manifest, ...await signStatement(key, { name, version, bytes, manifest }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}
