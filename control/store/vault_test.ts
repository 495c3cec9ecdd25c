/** Vault: what is sealed opens again, for its name and with its key only; and it does not grow for ever. */
import { match, ok, rejects, strictEqual as equal } from "node:assert/strict";
import { MemoryStore } from "./memory.ts";
import { Vault, VAULT_LIMITS } from "./vault.ts";

const nameOf = (n: number): string => `sha256:${String(n).padStart(64, "0")}`;
const none = () => Promise.resolve(new Set<string>());

async function inFolder(work: (file: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-vault-" });
  try {
    await work(`${dir}/vault.key`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("Vault gives a key back by name, also after a restart, and the store has none of it", () =>
  inFolder(async (file) => {
    const store = new MemoryStore();
    const vault = await Vault.open(store, file);
    await vault.put(new Map([[nameOf(1), "a secret"]]), none);
    equal(await vault.has(nameOf(1)), true);
    equal(await vault.has(nameOf(2)), false);
    equal(await vault.get(nameOf(2)), null);
    equal(await (await Vault.open(store, file)).get(nameOf(1)), "a secret");
    const { entries } = await store.list("");
    ok(!JSON.stringify(entries).includes("secret"));
    ok(!JSON.stringify(entries).includes(btoa("a secret").slice(0, 8)));
    equal((await Deno.stat(file)).mode! & 0o777, 0o600);
  }));

Deno.test("Vault opens nothing that was sealed with another vault.key or under another name", () =>
  inFolder(async (file) => {
    const store = new MemoryStore();
    const vault = await Vault.open(store, file);
    await vault.put(new Map([[nameOf(1), "one"], [nameOf(2), "two"]]), none);
    const place = (n: number): string => `keys/${nameOf(n).slice(7)}`;
    const [one, two] = [await store.get(place(1)), await store.get(place(2))];
    await store.put(place(2), one!.value, two!.revision);
    await rejects(vault.get(nameOf(2)), /another vault\.key/);
    await Deno.remove(file);
    await rejects((await Vault.open(store, file)).get(nameOf(1)), /Restore that file/);
  }));

Deno.test("Vault refuses a key file that others may read, or that is damaged", () =>
  inFolder(async (file) => {
    await Deno.writeFile(file, new Uint8Array(32), { mode: 0o644 });
    await rejects(Vault.open(new MemoryStore(), file), /chmod 600/);
    await Deno.chmod(file, 0o600);
    await Deno.writeFile(file, new Uint8Array(31));
    await rejects(Vault.open(new MemoryStore(), file), /it has 31 bytes, 32 are wanted/);
  }));

Deno.test("Vault lets go of keys that no revision names, and takes no more than it may", () =>
  inFolder(async (file) => {
    const vault = await Vault.open(new MemoryStore(), file);
    const many = Array.from({ length: VAULT_LIMITS.keys }, (_, n) => nameOf(n));
    await vault.put(new Map(many.map((name) => [name, "x"])), () => {
      throw new Error("there is room");
    });
    const full = () => Promise.resolve(new Set(many));
    const one = new Map([[nameOf(5000), "new"]]);
    await rejects(vault.put(one, full), (error: Error) => {
      match(error.message, /more than 1000 private keys/);
      return true;
    });
    await vault.put(one, () => Promise.resolve(new Set(many.slice(1))));
    equal(await vault.get(nameOf(5000)), "new");
    equal(await vault.has(many[0]!), false);
    equal(await vault.has(many[1]!), true);
    await vault.put(new Map([[many[1]!, "x"]]), full); // no new one
  }));
