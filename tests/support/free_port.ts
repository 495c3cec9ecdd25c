/** A port of the loopback that nothing has just now: for programs that cannot take one by themselves. */
export function freePort(): number {
  const held = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = held.addr;
  held.close();
  return port;
}
