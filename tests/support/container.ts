/** Containers without a registry: a base image from Debian packages, buildah, and a network namespace each. */
import { build } from "../../deploy/build.ts";

const CACHE = new URL("../../.denim/cache/", import.meta.url).pathname;
const TOOLS = ["buildah", "debootstrap", "ip"];
const BASE = "localhost/denim-test-base";
/** The suite whose packages make the base image; any glibc system does. */
const SUITE = "bookworm";
/** Of a container's user, as the Containerfile sets it. */
export const CONTAINER_USER = 65532;

/** Why containers cannot be tried here, null when they can. */
export async function whyNoContainers(): Promise<string | null> {
  if (Deno.uid() !== 0) return "only root can make network namespaces";
  for (const tool of TOOLS) {
    if (!(await command("sh", ["-c", `command -v ${tool}`])).success) return `${tool} is missing`;
  }
  const namespace = `denim-probe-${Deno.pid}`;
  const made = await command("ip", ["netns", "add", namespace]);
  if (!made.success) return `no network namespace can be made: ${made.stderr.trim()}`;
  await command("ip", ["netns", "del", namespace]);
  return await makeBase();
}

/** Builds the image under test from the cached base. */
export async function buildImage(tag: string): Promise<void> {
  await build({ base: BASE, tag, tool: ["buildah", ...storage()] });
}

/** Builds would pile up in the cache. */
export async function removeImage(tag: string): Promise<void> {
  await buildah(["rmi", "--force", tag]);
}

/** The base image, made once and kept; a reason when it cannot be made (no package mirror in reach). */
async function makeBase(): Promise<string | null> {
  await Deno.mkdir(CACHE, { recursive: true });
  if ((await buildah(["inspect", "--type", "image", BASE])).success) return null;
  const root = await Deno.makeTempDir({ dir: CACHE, prefix: "rootfs-" });
  try {
    const packages = await command("debootstrap", ["--variant=minbase", SUITE, root]);
    if (!packages.success) {
      const why = packages.stdout.trim().split("\n").at(-1) ?? "";
      return `no base system can be made from Debian packages: ${why}`;
    }
    const container = (await need(buildah(["from", "scratch"]))).trim();
    await need(buildah(["copy", "--quiet", container, root, "/"]));
    await need(buildah(["commit", "--quiet", container, BASE]));
    await need(buildah(["rm", container]));
    return null;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** A network namespace joined to the host by a pair of virtual interfaces. */
export class Namespace implements AsyncDisposable {
  readonly name: string;
  readonly hostAddress: string;
  readonly address: string;

  private constructor(name: string, subnet: number) {
    this.name = name;
    this.hostAddress = `10.231.${subnet}.1`;
    this.address = `10.231.${subnet}.2`;
  }

  static async create(): Promise<Namespace> {
    const subnet = Deno.pid % 250;
    const namespace = new Namespace(`denim-${Deno.pid}`, subnet);
    const { name, hostAddress, address } = namespace;
    const [outside, inside] = [`dn${Deno.pid}h`, `dn${Deno.pid}c`];
    const inNamespace = ["netns", "exec", name, "ip"];
    await need(command("ip", ["netns", "add", name]));
    try {
      await need(command("ip", ["link", "add", outside, "type", "veth", "peer", "name", inside]));
      await need(command("ip", ["link", "set", inside, "netns", name]));
      await need(command("ip", ["addr", "add", `${hostAddress}/24`, "dev", outside]));
      await need(command("ip", ["link", "set", outside, "up"]));
      await need(command("ip", [...inNamespace, "addr", "add", `${address}/24`, "dev", inside]));
      await need(command("ip", [...inNamespace, "link", "set", inside, "up"]));
      await need(command("ip", [...inNamespace, "link", "set", "lo", "up"]));
      return namespace;
    } catch (problem) {
      await namespace[Symbol.asyncDispose]();
      throw problem;
    }
  }

  /** A program and its arguments that run `args` in this namespace. */
  inside(args: readonly string[]): [string, string[]] {
    return ["ip", ["netns", "exec", this.name, ...args]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The pair of interfaces goes with it.
    await command("ip", ["netns", "del", this.name]);
  }
}

/** One container of an image; each `run` is a process in it. */
export class Container implements AsyncDisposable {
  readonly #id: string;
  readonly #namespace: Namespace;

  private constructor(id: string, namespace: Namespace) {
    this.#id = id;
    this.#namespace = namespace;
  }

  static async create(image: string, namespace: Namespace): Promise<Container> {
    return new Container((await need(buildah(["from", "--pull-never", image]))).trim(), namespace);
  }

  /** Runs the image's entry point with `args`; `volumes` are `host:container` folders. */
  run(args: readonly string[], volumes: readonly string[]): Deno.ChildProcess {
    const [program, programArgs] = this.#namespace.inside([
      "buildah",
      ...storage(),
      "run",
      "--isolation",
      "chroot",
      ...volumes.flatMap((one) => ["--volume", one]),
      this.#id,
      "--",
      "/opt/denim/deploy/denim",
      ...args,
    ]);
    return new Deno.Command(program, {
      args: programArgs,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await buildah(["rm", this.#id]);
  }
}

function storage(): string[] {
  return ["--root", `${CACHE}buildah`, "--runroot", `${CACHE}buildah-run`];
}

function buildah(args: readonly string[]): Promise<Outcome> {
  return command("buildah", [...storage(), ...args]);
}

interface Outcome {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

async function command(program: string, args: readonly string[]): Promise<Outcome> {
  const output = await new Deno.Command(program, { args: [...args], stdin: "null" }).output();
  const decoder = new TextDecoder();
  return {
    success: output.success,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

async function need(running: Promise<Outcome>): Promise<string> {
  const { success, stdout, stderr } = await running;
  if (!success) throw new Error(stderr.trim() || stdout.trim());
  return stdout;
}
