/** `denim ca status`: where a rotation is, and whom it waits for. */
import type { RotationStatus } from "../../control/ca/rotation.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { OUTPUT_FLAG, outputForm, structured } from "../output.ts";
import { rotationText } from "../rotation_text.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim ca status",
  about: "Shows where a rotation is: step, since when, who is waited for and why, and what to do.",
  flags: { ...OUTPUT_FLAG, ...CLIENT_FLAGS },
}, async (args) => {
  const form = outputForm(args);
  const client = await Client.find(args);
  const { rotation } = await client.get<{ rotation: RotationStatus | null }>("/ca/rotation");
  console.log(form === "table" ? rotationText(rotation, Date.now()) : structured(form, rotation));
  return EXIT.ok;
});
