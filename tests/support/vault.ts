/**
 * Vault with its PKI engine, in memory: the real thing, built from its Go modules where Go is there.
 * `deno run -A tests/support/vault.ts` builds it, which takes some minutes the first time.
 */
const VERSION = "v1.14.1";
const SOURCE = new URL("./vault_server/", import.meta.url).pathname;
const FOLDER = new URL(`../../.denim/vault/${VERSION}`, import.meta.url).pathname;
const PROGRAM = `${FOLDER}/vault`;

export async function isBuilt(): Promise<boolean> {
  return (await Deno.stat(PROGRAM).catch(() => null))?.isFile === true;
}

/** Said where it is missing and a test that wants it is skipped. */
export const HOW_TO_BUILD = "Vault is not built: deno run -A tests/support/vault.ts";

/** Rejects with what Go said. */
export async function build(): Promise<void> {
  if (await isBuilt()) return;
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {}); // of a build that was cut short
  await Deno.mkdir(FOLDER, { recursive: true });
  for (const name of ["main.go", "go.mod"]) await Deno.copyFile(SOURCE + name, `${FOLDER}/${name}`);
  await go("mod", "tidy");
  await patchSdk();
  await go("build", "-o", PROGRAM, ".");
}

/**
 * No released SDK fits this Vault: the ones before lack functions it calls, this one panics on paths of
 * the enterprise edition, which are never called here. Takes a copy without that check.
 */
async function patchSdk(): Promise<void> {
  const name = "github.com/hashicorp/vault/sdk";
  const source = (await go("list", "-m", "-f", "{{.Dir}}", name)).trim();
  await run("cp", "-r", source, `${FOLDER}/sdk`);
  await run("chmod", "-R", "u+w", `${FOLDER}/sdk`);
  const file = `${FOLDER}/sdk/framework/backend.go`;
  const text = await Deno.readTextFile(file);
  const check = "if p.ExistenceCheck == nil {";
  if (!text.includes(check)) throw new Error(`"${file}" is not what it was`);
  await Deno.writeTextFile(file, text.replace(check, "if false {"));
  await go("mod", "edit", "-replace", `${name}=./sdk`);
}

function go(...args: string[]): Promise<string> {
  return run("go", ...args);
}

async function run(command: string, ...args: string[]): Promise<string> {
  const env = { GOFLAGS: "-mod=mod" };
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd: FOLDER,
    env,
  }).output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  const said = decoder.decode(stderr).trim().split("\n").slice(-5).join("\n");
  throw new Error(`Cannot build Vault ${VERSION}: ${said}`);
}

export class VaultServer implements AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, url: string, token: string) {
    this.#child = child;
    this.url = url;
    this.token = token;
  }

  static async start(): Promise<VaultServer> {
    const child = new Deno.Command(PROGRAM, { stdout: "piped", stderr: "null" }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let line = "";
    while (!line.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("Vault ended before it was ready");
      line += value;
    }
    await reader.cancel();
    const { url, token } = JSON.parse(line) as { url: string; token: string };
    return new VaultServer(child, url, token);
  }

  /** One call of its API as root; rejects with what it said unless it succeeded. */
  // Answers have as many forms as calls.
  // deno-lint-ignore no-explicit-any
  async call(path: string, body: unknown): Promise<any> {
    const response = await fetch(`${this.url}/v1/${path}`, {
      method: "POST",
      headers: { "x-vault-token": this.token },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text === "" ? null : JSON.parse(text).data;
  }

  /** A root named after the trust domain, an intermediate below it at `pki`, a role. Gives the root, PEM. */
  async foundPki(trustDomain: string, role: Record<string, unknown> = {}): Promise<string> {
    const key = { key_type: "ec", key_bits: 256 };
    for (const mount of ["root", "pki"]) {
      await this.call(`sys/mounts/${mount}`, { type: "pki", config: { max_lease_ttl: "87600h" } });
    }
    const root = await this.call("root/root/generate/internal", {
      ...key,
      common_name: "Company root",
      exclude_cn_from_sans: true,
      uri_sans: `spiffe://${trustDomain}`,
      ttl: "80000h",
    });
    const { csr } = await this.call("pki/intermediate/generate/internal", {
      ...key,
      common_name: "Mesh intermediate",
    });
    const signed = await this.call("root/root/sign-intermediate", {
      csr,
      common_name: "Mesh intermediate",
      exclude_cn_from_sans: true,
      ttl: "8000h",
    });
    await this.call("pki/intermediate/set-signed", { certificate: signed.certificate });
    await this.call("pki/roles/denim", {
      ...key,
      allowed_uri_sans: [`spiffe://${trustDomain}/ns/*`],
      require_cn: false,
      use_csr_common_name: false,
      use_csr_sans: false,
      key_usage: ["DigitalSignature"],
      basic_constraints_valid_for_non_ca: true,
      max_ttl: "720h",
      ...role,
    });
    return `${root.certificate}\n`;
  }

  async stop(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it is gone
    }
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

if (import.meta.main) await build();
