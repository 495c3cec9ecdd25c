/** Waits until every connected proxy has a revision in force, or one has refused it. */
import type { Client } from "./client.ts";

interface ProxyRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

interface Convergence {
  readonly converged: boolean;
  readonly proxies: number;
  readonly waiting: readonly ProxyRef[];
  readonly refused: readonly (ProxyRef & { readonly reason: string })[];
}

const POLL_MS = 50;

/** Resolves with how many proxies have it; rejects with who has not and why. */
export async function waitFor(
  client: Client,
  revision: number,
  timeoutMs: number,
): Promise<number> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const state = await client.get<Convergence>(`/converged?revision=${revision}`);
    if (state.converged) return state.proxies;
    if (state.refused.length > 0) {
      const reasons = state.refused.map((one) => `  ${nameOf(one)}: ${one.reason}`);
      throw new Error(
        [
          `Revision ${revision} was refused; these proxies keep what they had:`,
          ...reasons,
          `Go back with: denim rollback ${Math.max(0, revision - 1)}`,
        ].join("\n"),
      );
    }
    if (performance.now() > giveUpAt) {
      const names = state.waiting.map(nameOf).join(", ");
      throw new Error(`Revision ${revision} is not yet everywhere; no answer from: ${names}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function nameOf({ kind, namespace, name }: ProxyRef): string {
  return `${kind} ${namespace}/${name}`;
}
