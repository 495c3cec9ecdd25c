/** `denim ca rotate`: replaces the root or the intermediate, step by step, without an outage. */
import type { RotationStatus, Waiting } from "../../control/ca/rotation.ts";
import { type Args, parseDuration, UsageError } from "../args.ts";
import { author } from "../changes.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { rotationText } from "../rotation_text.ts";
import { EXIT, verb } from "../verb.ts";

const POLL_MS = 200;

export const run = verb({
  usage: "denim ca rotate --root|--intermediate [--compromised [--now]] [--wait]",
  about:
    "Replaces the authority's root or intermediate. The control plane does it step by step, and takes no\n" +
    "step before every live proxy is ready for it: denim ca status says who is waited for, denim ca abort\n" +
    "goes back. It goes on by itself when this command has ended.",
  flags: {
    root: { help: "A new root, and an intermediate below it" },
    intermediate: { help: "A new intermediate below the root" },
    compromised: { help: "Revoke the old intermediate when every proxy has a new certificate" },
    now: {
      help: "Revoke it at once: requests may fail until proxies have theirs, in about a second",
    },
    to: { value: "FILE", help: "With --root: the new root, made elsewhere (PEM)" },
    "to-chain": { value: "FILE", help: "The issuing certificate, then each one's issuer (PEM)" },
    "to-key": { value: "FILE", help: "Its private key (PKCS#8 PEM)" },
    "force-step": {
      help: "Go on without the proxies that are away; refused where connected ones are not ready",
    },
    wait: { help: "Until it is done" },
    timeout: { value: "TIME", default: "10m", help: "How long --wait waits" },
    ...CLIENT_FLAGS,
  },
  examples: [
    "denim ca rotate --root --wait",
    "denim ca rotate --root --to root.pem --to-chain chain.pem --to-key chain.key",
    "denim ca rotate --intermediate --compromised",
  ],
}, async (args) => {
  const client = await Client.find(args);
  if (args.on("force-step")) return await force(client);
  if (args.on("root") === args.on("intermediate")) {
    throw new UsageError("Either --root or --intermediate is wanted");
  }
  const { rotation } = await client.post<{ rotation: RotationStatus }>("/ca/rotation", {
    kind: args.on("root") ? "root" : "intermediate",
    compromised: args.on("compromised"),
    now: args.on("now"),
    brought: await brought(args),
    author: author(),
  });
  if (!args.on("wait")) {
    console.log(rotationText(rotation, Date.now()));
    return EXIT.ok;
  }
  return await wait(client, parseDuration("--timeout", args.text("timeout")));
});

async function brought(args: Args): Promise<unknown> {
  const files = ["to", "to-chain", "to-key"].map((name) => args.find(name));
  if (files.every((file) => file === null)) return undefined;
  const [root, chain, key] = files;
  if (chain == null || key == null) throw new UsageError("--to-chain and --to-key are wanted");
  return {
    root: root == null ? null : await read(root),
    chain: await read(chain),
    key: await read(key),
  };
}

async function read(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new Error(`Cannot read "${file}": ${error instanceof Error ? error.message : error}`);
  }
}

async function force(client: Client): Promise<number> {
  const { rotation, left } = await client.post<
    { rotation: RotationStatus; left: readonly Waiting[] }
  >("/ca/rotation/force", { author: author() });
  for (const { name, id } of left) {
    console.log(`Left behind: ${name} (${id}); it needs a new trust bundle and join token`);
  }
  console.log(rotationText(rotation, Date.now()));
  return EXIT.ok;
}

/** Prints each step as it comes; resolves when the rotation is over. */
async function wait(client: Client, timeoutMs: number): Promise<number> {
  const giveUpAt = performance.now() + timeoutMs;
  let step = "";
  for (;;) {
    const { rotation } = await client.get<{ rotation: RotationStatus }>("/ca/rotation");
    if (rotation.step !== step) console.log(step = rotation.step);
    if (rotation.over) return rotation.step === "done" ? EXIT.ok : EXIT.failed;
    if (performance.now() > giveUpAt) {
      console.log(rotationText(rotation, Date.now()));
      console.error("It is not done yet, and goes on by itself: denim ca status");
      return EXIT.failed;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
