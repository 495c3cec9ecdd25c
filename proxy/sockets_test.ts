import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { silentLog } from "../core/log.ts";
import { Metrics } from "../core/metrics.ts";
import { BATCH, RESERVE, Sockets } from "./sockets.ts";

Deno.test("Sockets end accepting before dialling, and both below the limit", () => {
  const sockets = new Sockets(RESERVE + 8, new Metrics(), silentLog);
  const may = (): [boolean, boolean] => [sockets.mayAccept, sockets.mayDial];
  for (let i = 0; i < 5; i++) sockets.dialled();
  assert.deepEqual(may(), [true, true]);
  sockets.dialled();
  assert.deepEqual(may(), [false, true]);
  sockets.dialled();
  sockets.dialled();
  assert.deepEqual(may(), [false, false]);
  sockets.closed();
  assert.deepEqual(may(), [false, true]);
});

Deno.test("Sockets count what servers have, and have them close what is too much", async () => {
  const sockets = new Sockets(RESERVE + BATCH + 8, new Metrics(), silentLog);
  const taken: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.resume().write("in");
    taken.push(socket);
  });
  sockets.bound(server, 3);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  const enter = async (): Promise<"in" | "closed"> => {
    const socket = connect({ port, host: "127.0.0.1" });
    const told = await Promise.race([
      once(socket, "data").then(() => "in" as const),
      once(socket, "close").then(() => "closed" as const, () => "closed" as const),
    ]);
    clients.push(socket);
    return told;
  };
  const clients: Socket[] = [];
  for (let i = 0; i < 3; i++) assert.equal(await enter(), "in");
  assert.equal(await enter(), "closed", "its own limit");
  assert.equal(sockets.open, 3);
  const [first] = taken;
  clients[0]!.destroy();
  await once(first!, "close");
  assert.equal(await enter(), "in");
  for (let i = 0; i < 4; i++) sockets.dialled();
  clients[1]!.destroy();
  await once(taken[1]!, "close");
  assert.equal(await enter(), "closed", "the process's limit");
  for (const client of clients) client.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  assert.equal(sockets.open, 4);
});
