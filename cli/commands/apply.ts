/** `denim apply`: resources from files or standard input become one revision. */
import { parseDuration, UsageError } from "../args.ts";
import { type Applied, appliedText, author } from "../changes.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { EXIT, verb } from "../verb.ts";
import { waitFor } from "../wait.ts";

export const run = verb({
  usage: "denim apply -f FILE… [-m MESSAGE] [--dry-run] [--wait]",
  about: "Applies resources: all of them as one revision, or none when one is wrong.",
  flags: {
    file: {
      value: "FILE",
      short: "f",
      many: true,
      required: true,
      help: "YAML or JSON; - for standard input, or a folder of .yaml, .yml and .json files",
    },
    message: { value: "TEXT", short: "m", help: "Why, for the history" },
    "dry-run": { help: "Only check it and show what would change" },
    wait: { help: "Until every proxy has it in force" },
    timeout: { value: "TIME", default: "30s", help: "How long --wait waits" },
    ...CLIENT_FLAGS,
  },
  examples: [
    'denim apply -f mesh.yaml -m "send 10 % to v2" --wait',
    "denim get httproute reviews -o yaml | sed s/90/80/ | denim apply -f -",
  ],
}, async (args) => {
  const client = await Client.find(args);
  const documents = await readAll(args.all("file"));
  const dryRun = args.on("dry-run");
  const applied = await client.post<Applied>("/apply", {
    documents,
    message: args.find("message") ?? undefined,
    author: author(),
    dryRun,
  });
  console.log(appliedText(applied));
  if (!args.on("wait") || dryRun) return EXIT.ok;
  const timeoutMs = parseDuration("--timeout", args.text("timeout"));
  const count = await waitFor(client, applied.revision, timeoutMs);
  console.log(`In force in ${count} ${count === 1 ? "proxy" : "proxies"}`);
  return EXIT.ok;
});

async function readAll(files: readonly string[]): Promise<string> {
  const texts: string[] = [];
  for (const file of files) {
    if (file === "-") texts.push(await new Response(Deno.stdin.readable).text());
    else texts.push(...await readPath(file));
  }
  return texts.join("\n---\n");
}

async function readPath(path: string): Promise<string[]> {
  try {
    if (!(await Deno.stat(path)).isDirectory) return [await Deno.readTextFile(path)];
    const names: string[] = [];
    for await (const { name, isFile } of Deno.readDir(path)) {
      if (isFile && /\.(ya?ml|json)$/.test(name)) names.push(name);
    }
    if (names.length === 0) throw new UsageError(`There is no .yaml or .json file in "${path}"`);
    return await Promise.all(names.sort().map((name) => Deno.readTextFile(`${path}/${name}`)));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot read "${path}": ${reason}`);
  }
}
