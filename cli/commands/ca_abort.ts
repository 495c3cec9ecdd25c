/** `denim ca abort`: goes back from a rotation that is under way. */
import type { RotationStatus } from "../../control/ca/rotation.ts";
import { author } from "../changes.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { rotationText } from "../rotation_text.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim ca abort",
  about:
    "Brings everything back to what it was before the rotation, with the same care. Refused once\n" +
    "proxies have begun to forget the old root.",
  flags: { ...CLIENT_FLAGS },
}, async (args) => {
  const client = await Client.find(args);
  const { rotation } = await client.post<{ rotation: RotationStatus }>("/ca/rotation/abort", {
    author: author(),
  });
  console.log(rotationText(rotation, Date.now()));
  return EXIT.ok;
});
