/** `denim token`: join tokens for proxies, access tokens for people and programs. */
import type { AccessToken } from "../../control/access/tokens.ts";
import { type Args, parseDuration, UsageError } from "../args.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { OUTPUT_FLAG, outputForm, span, structured, table } from "../output.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim token create --identity NAMESPACE/NAME | create --role ROLE --name NAME | list | " +
    "revoke NAME",
  about:
    "Makes tokens. With --identity a join token: with it one proxy, once, gets a certificate\n" +
    "for that identity. With --role an access token: with it a person or program calls the API\n" +
    "until its time is over or it is revoked. Prints the token alone, so that it can go straight\n" +
    "into a file; it is never shown again. Access tokens can be listed and revoked, by admins.",
  words: { min: 1, max: 2, names: "One of the words create, list and revoke" },
  flags: {
    identity: { value: "NAMESPACE/NAME", help: "Join token: Service or Gateway it is for" },
    role: { value: "ROLE", help: "Access token: viewer, operator, publisher or admin" },
    name: { value: "NAME", help: "Access token: whose it is; shows in history and audit log" },
    ttl: { value: "TIME", help: "How long it is good (default 10m for joining, else 12h)" },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
  examples: [
    "denim token create --identity default/web > web.token",
    "denim token create --role operator --ttl 12h --name ci > ci.token",
    "denim token list",
    "denim token revoke ci",
  ],
}, async (args) => {
  const [word, name] = args.words;
  if (word === "revoke" && name !== undefined) return await revoke(args, name);
  if (word === "revoke") throw new UsageError("Which token? denim token revoke NAME");
  if (name !== undefined) throw new UsageError(`"${name}" is not understood`);
  if (word === "create") return await create(args);
  if (word === "list") return await list(args);
  throw new UsageError(`denim token has no verb "${word}"; there are: create, list, revoke`);
});

async function create(args: Args): Promise<number> {
  const identity = args.find("identity"), role = args.find("role"), name = args.find("name");
  if ((identity === null) === (role === null)) {
    throw new UsageError(
      "One of --identity (to join the mesh) and --role (to call the API) is wanted",
    );
  }
  const ttl = args.find("ttl");
  const ttlMs = ttl === null ? {} : { ttlMs: parseDuration("--ttl", ttl) };
  if (identity !== null && name !== null) throw new UsageError("--name goes with --role");
  if (role !== null && name === null) {
    throw new UsageError("--name is wanted: whose token it is, such as --name ci");
  }
  const client = await Client.find(args);
  const { token } = identity !== null
    ? await client.post<{ token: string }>("/tokens", { identity, ...ttlMs })
    : await client.post<{ token: string }>("/access-tokens", { name, role, ...ttlMs });
  console.log(token);
  return EXIT.ok;
}

async function list(args: Args): Promise<number> {
  const form = outputForm(args);
  const client = await Client.find(args);
  const { tokens } = await client.get<{ tokens: AccessToken[] }>("/access-tokens");
  if (form !== "table") console.log(structured(form, tokens));
  else if (tokens.length === 0) {
    console.log("There is no access token beside the first admin token");
  } else {
    const nowMs = Date.now();
    console.log(table(
      ["ID", "NAME", "ROLE", "AGE", "LEFT", "LAST USED", "BY"],
      tokens.map((one) => [
        one.id,
        one.name,
        one.role,
        span(nowMs - one.createdMs),
        span(one.expiresMs - nowMs),
        one.lastUsedMs === null ? "never" : `${span(nowMs - one.lastUsedMs)} ago`,
        one.createdBy,
      ]),
    ));
  }
  return EXIT.ok;
}

async function revoke(args: Args, name: string): Promise<number> {
  const client = await Client.find(args);
  const { id } = await client.delete<AccessToken>(`/access-tokens/${encodeURIComponent(name)}`);
  console.log(`Token ${name} (${id}) is revoked`);
  return EXIT.ok;
}
