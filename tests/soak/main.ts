/** `deno task soak NAME [RENEWALS]`: the long run of a soak, of which every test run has a short one. */

const [name = "", renewals = "400"] = Deno.args;
const file = new URL(`./${name}_test.ts`, import.meta.url).pathname;
if (!/^[a-z_]+$/.test(name) || !await Deno.stat(file).then(() => true, () => false)) {
  const names = [...Deno.readDirSync(new URL(".", import.meta.url))]
    .flatMap((entry) => /^(\w+)_test\.ts$/.exec(entry.name)?.[1] ?? []);
  console.error(`deno task soak NAME [RENEWALS]; there is: ${names.join(", ")}`);
  Deno.exit(2);
}
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", file],
  env: { SOAK_RENEWALS: renewals, DENIM_DEBUG: "poison" },
}).spawn().status;
Deno.exit(code);
