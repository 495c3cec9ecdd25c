/** `denim token create`: lets one proxy into the mesh. */
import { parseDuration, UsageError } from "../args.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { EXIT, verb } from "../verb.ts";

interface Created {
  readonly token: string;
  readonly identity: string;
  readonly expiresMs: number;
}

export const run = verb({
  usage: "denim token create --identity NAMESPACE/NAME [--ttl 10m]",
  about: "Makes a join token: with it one proxy, once, gets a certificate for that identity.\n" +
    "Prints the token alone, so that it can go straight into a file.",
  words: { min: 1, max: 1, names: "The word create" },
  flags: {
    identity: { value: "NAMESPACE/NAME", required: true, help: "Service or Gateway it is for" },
    ttl: { value: "TIME", default: "10m", help: "How long it waits to be used" },
    ...CLIENT_FLAGS,
  },
  examples: ["denim token create --identity default/web > web.token"],
}, async (args) => {
  if (args.words[0] !== "create") {
    throw new UsageError(`denim token has no verb "${args.words[0]}"; there is: create`);
  }
  const client = await Client.find(args);
  const created = await client.post<Created>("/tokens", {
    identity: args.text("identity"),
    ttlMs: parseDuration("--ttl", args.text("ttl")),
  });
  console.log(created.token);
  return EXIT.ok;
});
