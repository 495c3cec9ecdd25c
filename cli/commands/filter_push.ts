/** `denim filter push`: builds, signs and uploads a filter. */
import { ACCESS_OPTIONS, findControl, readFlags, runVerb, UsageError } from "../filters/options.ts";
import { KEY_DIR } from "../filters/keys.ts";
import { pushFilter } from "../filters/push.ts";

export function filterPush(args: readonly string[]): Promise<number> {
  return runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      ...ACCESS_OPTIONS,
      keys: { type: "string", default: KEY_DIR },
      output: { type: "string", short: "o" },
    });
    const path = positionals[0];
    if (path === undefined) throw new UsageError("Name the folder: denim filter push DIR");
    const access = await findControl(values);
    const { listing, newKey } = await pushFilter(path, access, { keyDir: values.keys as string });
    if (values.output === "json") return console.log(JSON.stringify(listing));
    if (newKey !== null) {
      console.log(`Made a key for publisher ${listing.publisher} in ${newKey}; keep it safe.`);
    }
    const { measured } = listing;
    console.log(`${listing.name}@${listing.version} is admitted (${listing.digest})`);
    console.log(`  hooks     ${listing.hooks.join(", ")}`);
    console.log(`  may touch ${listing.capabilities.join(", ") || "nothing"}`);
    console.log(`  costs     ${measured.usPerCall} µs and ${measured.fuelMean} fuel a call`);
    for (const warning of listing.warnings) console.log(`  warning   ${warning}`);
    console.log(`\nNext: ${listing.install}`);
  });
}
