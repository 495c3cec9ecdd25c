/**
 * TLS peers by other hands than ours and the runtime's: openssl, Go's crypto/tls, and go-spiffe, each as a
 * program of its own that connects with a certificate or serves with one.
 */
import { choosePorts } from "../../cli/local/ports.ts";
import { found } from "../support/programs.ts";
import type { Shown } from "./bad_svids.ts";

const SOURCES = new URL("./go_peer/", import.meta.url).pathname;
const BUILT = new URL("../../.denim/go-peer/", import.meta.url).pathname;
const WAIT_MS = 10_000;

export interface PeerTrust {
  /** PEM of the roots it believes. */
  readonly bundle: string;
  /** SPIFFE id of the sidecar. */
  readonly expect: string;
}

export interface ForeignServer extends AsyncDisposable {
  readonly port: number;
}

export interface ForeignPeer {
  readonly name: string;
  /** Whether it shows whatever it is given, or judges it first itself. */
  readonly showsAnything: boolean;
  /** What comes back for `request`; "" for nothing. `said`: what it says of the other side. */
  connect(port: number, shown: Shown | null, request: string, trust: PeerTrust): Promise<Outcome>;
  /** Answers every request with the body "hello". */
  listen(shown: Shown, trust: PeerTrust): Promise<ForeignServer>;
}

export interface Outcome {
  readonly answer: string;
  readonly said: string;
}

/** All that can be had here; says which cannot. */
export async function foreignPeers(): Promise<ForeignPeer[]> {
  const peers: ForeignPeer[] = [];
  if (await found("openssl", "version")) peers.push(openssl);
  else console.log("skipped: no openssl on the PATH");
  if (await built("plain")) peers.push(goPeer("Go", `${BUILT}plain`, true));
  if (await built("spiffe")) peers.push(goPeer("go-spiffe", `${BUILT}spiffe`, false));
  return peers;
}

/** What go-spiffe makes of an SVID: its id, or why it is none. Null where there is no go-spiffe. */
export async function judgedByGoSpiffe(shown: Shown, bundle: string): Promise<string | null> {
  if (!await built("spiffe")) return null;
  await using files = await Files.of(shown, { bundle, expect: "" });
  const { stdout, stderr } = await new Deno.Command(`${BUILT}spiffe`, {
    args: ["check", ...files.flags],
  }).output();
  return text(stdout).trim() || text(stderr).trim();
}

const builds = new Map<string, Promise<boolean>>();

/** Builds one of the programs by Go; false, after saying why, where that cannot be done. */
function built(name: string): Promise<boolean> {
  let building = builds.get(name);
  if (building === undefined) builds.set(name, building = build(name));
  return building;
}

async function build(name: string): Promise<boolean> {
  try {
    const { success, stderr } = await new Deno.Command("go", {
      args: ["build", "-o", `${BUILT}${name}`, `./${name}`],
      cwd: SOURCES,
    }).output();
    if (!success) console.log(`skipped: the Go peer "${name}" cannot be built: ${text(stderr)}`);
    return success;
  } catch {
    console.log(`skipped: no Go on the PATH for the peer "${name}"`);
    return false;
  }
}

/** Certificate, key and bundle as files, which is how all of these programs want them. */
class Files implements AsyncDisposable {
  readonly #folder: string;
  readonly #shown: Shown | null;
  readonly #trust: PeerTrust;

  private constructor(folder: string, shown: Shown | null, trust: PeerTrust) {
    this.#folder = folder;
    this.#shown = shown;
    this.#trust = trust;
  }

  static async of(shown: Shown | null, trust: PeerTrust): Promise<Files> {
    const folder = await Deno.makeTempDir({ prefix: "denim-peer-" });
    await Deno.writeTextFile(`${folder}/bundle`, trust.bundle);
    if (shown !== null) {
      await Deno.writeTextFile(`${folder}/cert`, shown.cert);
      await Deno.writeTextFile(`${folder}/key`, shown.key, { mode: 0o600 });
    }
    return new Files(folder, shown, trust);
  }

  path(name: "cert" | "key" | "bundle"): string {
    return `${this.#folder}/${name}`;
  }

  /** As the Go programs take them. */
  get flags(): string[] {
    const own = this.#shown === null ? [] : ["-cert", this.path("cert"), "-key", this.path("key")];
    return [...own, "-bundle", this.path("bundle"), "-expect", this.#trust.expect];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function goPeer(name: string, program: string, showsAnything: boolean): ForeignPeer {
  return {
    name,
    showsAnything,
    async connect(port, shown, request, trust) {
      await using files = await Files.of(shown, trust);
      return await ask(program, ["connect", `127.0.0.1:${port}`, ...files.flags], request);
    },
    async listen(shown, trust) {
      const files = await Files.of(shown, trust);
      const child = spawn(program, ["listen", ...files.flags]);
      const port = Number(await firstLine(child.stdout, (line) => line));
      return server(port, child, files);
    },
  };
}

const openssl: ForeignPeer = {
  name: "openssl",
  showsAnything: true,
  async connect(port, shown, request, trust) {
    await using files = await Files.of(shown, trust);
    const own = shown === null ? [] : shownFlags(files);
    return await ask("openssl", [
      ...["s_client", "-connect", `127.0.0.1:${port}`, "-quiet", "-tls1_3", "-alpn", "http/1.1"],
      ...["-CAfile", files.path("bundle"), "-verify_return_error", ...own],
    ], request);
  },
  async listen(shown, trust) {
    const files = await Files.of(shown, trust);
    const { port } = choosePorts(["port"], {});
    // -HTTP answers with a file as it is: the whole response.
    const folder = files.path("cert").replace(/cert$/, "");
    await Deno.writeTextFile(
      `${folder}hello`,
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
    );
    const child = spawn("openssl", [
      ...["s_server", "-accept", `127.0.0.1:${port}`, "-HTTP", "-tls1_3", "-alpn", "http/1.1"],
      ...["-CAfile", files.path("bundle"), "-Verify", "4", "-verify_return_error"],
      ...shownFlags(files),
    ], folder);
    await firstLine(child.stdout, (line) => line.startsWith("ACCEPT") ? line : null);
    return server(port!, child, files);
  },
};

function shownFlags(files: Files): string[] {
  return ["-cert", files.path("cert"), "-cert_chain", files.path("cert"), "-key", files.path("key")]
    .concat(["-cipher", "DEFAULT@SECLEVEL=0"]);
}

async function ask(program: string, args: string[], request: string): Promise<Outcome> {
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), WAIT_MS);
  const writer = child.stdin.getWriter();
  // Who was refused has gone before it read all of this.
  await writer.write(new TextEncoder().encode(request)).catch(() => {});
  await writer.close().catch(() => {});
  const { stdout, stderr } = await child.output();
  clearTimeout(timer);
  return { answer: text(stdout), said: text(stderr) };
}

function spawn(program: string, args: string[], cwd?: string): Deno.ChildProcess {
  return new Deno.Command(program, {
    args,
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

function server(port: number, child: Deno.ChildProcess, files: Files): ForeignServer {
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await child.stdout.cancel().catch(() => {});
      await files[Symbol.asyncDispose]();
    },
  };
}

/** The first line of output that `wanted` makes something of. */
async function firstLine(
  stream: ReadableStream<Uint8Array>,
  wanted: (line: string) => string | null,
): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`The peer ended before it listened: ${held}`);
      held += decoder.decode(value, { stream: true });
      for (const line of held.split("\n").slice(0, -1)) {
        const found = wanted(line);
        if (found !== null) return found;
      }
    }
  } finally {
    reader.releaseLock();
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
