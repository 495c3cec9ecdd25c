/** Runs h2spec, a judge of HTTP/2 servers, against a port. */

export interface Verdict {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: number;
  /** Its own account, the cases that failed last. */
  readonly text: string;
}

/** Where `go install` puts it comes after the PATH; null when it is in neither. */
export async function findH2spec(): Promise<string | null> {
  const env = (name: string): string => Deno.env.get(name) ?? "";
  const folders = env("PATH").split(":");
  folders.push(env("GOBIN"), `${env("GOPATH") || `${env("HOME")}/go`}/bin`);
  for (const folder of folders.filter((one) => one !== "")) {
    const path = `${folder}/h2spec`;
    if ((await Deno.stat(path).catch(() => null))?.isFile === true) return path;
  }
  return null;
}

/** Every strict case of the generic, http2 and hpack suites. */
export async function h2spec(
  program: string,
  address: string,
  flags: readonly string[] = [],
): Promise<Verdict> {
  const [host, port] = address.split(":");
  const { stdout, stderr } = await new Deno.Command(program, {
    args: ["generic", "http2", "hpack", "--strict", "-h", host!, "-p", port!, ...flags],
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const counts = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(text);
  const [passed, skipped, failed] = counts === null ? [0, 0, 1] : counts.slice(2).map(Number);
  return { passed: passed!, skipped: skipped!, failed: failed!, text: text.slice(-4000) };
}
