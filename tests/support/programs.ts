/** Programs of others that a test needs and a machine may not have. */

/** Whether `command` is there and answers to `flag`. */
export async function found(command: string, flag: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args: [flag],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}
