/** How a process that is a proxy is started: environment, engine flags and rights, the same for every launcher. */

/** Heap of a proxy, in MiB, unless more is asked for. */
export const PROXY_HEAP_MIB = 64;

/** Two of these are the young generation, and V8 sets a third aside (its limit counts all of them). */
const SEMI_SPACE_MIB = 4;
/** What the heap's limit has above the MiB that were asked for: no long-lived object can use it. */
export const YOUNG_MIB = 3 * SEMI_SPACE_MIB;

/**
 * Less memory, and the scavenges of scavenge.ts. A young generation of this size outlasts the exchanges in
 * it, so that few are copied, and takes 5 MB more than one of 1 MB, with which a tenth of the time went into
 * copying. The collector works on the proxy's own thread: helper threads cost more processor time to wake
 * than they save. A request passes through many small functions: three times the usual allowance for
 * putting one into another saves a thirtieth of all it costs. What a compile of the
 * middle tier took from the C allocator is given back as soon as it is done: left to an idle thread it
 * stays until much else has been allocated around it, which costs a sidecar some 8 MB for ever.
 */
export function proxyV8Flags(heapMiB = PROXY_HEAP_MIB): string {
  const flags = [
    "--expose-gc",
    "--single-threaded-gc",
    "--no-maglev-destroy-on-background",
    `--max-semi-space-size=${SEMI_SPACE_MIB}`,
    "--max-inlined-bytecode-size=920",
    "--max-inlined-bytecode-size-cumulative=3000",
    `--max-old-space-size=${heapMiB}`,
  ];
  return `--v8-flags=${flags.join(",")}`;
}

/** One arena of the C allocator instead of one per thread: some 5 MB less after load. */
export const PROXY_ENV: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: "1" };

/** The address that tells a cloud machine its credentials: no proxy has business there. */
const CLOUD_METADATA = "169.254.169.254";

export interface ProxyFiles {
  /** Files and folders; `all` for a proxy that runs from a configuration file, which may name files anywhere. */
  readonly read: readonly string[] | "all";
  readonly write: readonly string[];
}

/** Of the Deno executable, before the program, for a process that is a proxy and nothing else. */
export function proxyFlags(files: ProxyFiles, heapMiB = PROXY_HEAP_MIB): string[] {
  return [proxyV8Flags(heapMiB), ...loaderFlags(files), ...proxyRights(files)];
}

/** The same for one that starts proxies, with the environment it has itself, and no other program. */
export function supervisorFlags(files: ProxyFiles): string[] {
  const own = proxyFlags(files).filter((flag) => !flag.startsWith("--allow-env"));
  return [...own, "--allow-env", `--allow-run=${Deno.execPath()}`];
}

/**
 * Whatever it is, it starts with what is there, and fetches nothing. A proxy under a control plane is made
 * of this repository's files alone, so nothing is looked up for it either: no settings of the project, no
 * package. `bench start`: 253 ms become 133.
 */
function loaderFlags({ read }: ProxyFiles): readonly string[] {
  return read === "all"
    ? ["--cached-only", "--no-lock", "--node-modules-dir=manual"]
    : ["--no-config", "--no-lock", "--no-npm", "--no-remote"];
}

/** A proxy may use the network and these files; it starts no program and loads no library. */
function proxyRights({ read, write }: ProxyFiles): string[] {
  return [
    "--no-prompt",
    "--allow-net",
    `--deny-net=${CLOUD_METADATA}`,
    // The YAML and schema libraries, which only a configuration in files needs, look at all of it.
    read === "all" ? "--allow-env" : "--allow-env=DENIM_DEBUG",
    read === "all" ? "--allow-read" : `--allow-read=${read.join(",")}`,
    ...(write.length === 0 ? [] : [`--allow-write=${write.join(",")}`]),
  ];
}
