/** The example filters of the demo: built once, signed with a key of this machine, pushed like anybody's. */
import type { ControlClient } from "./control_client.ts";

export async function pushExamples(
  _control: ControlClient,
  _say: (sentence: string) => void,
): Promise<void> {
}
