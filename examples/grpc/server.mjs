// An ordinary gRPC server that knows nothing of the mesh: PORT and VERSION come from its environment.
import process from "node:process";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { Greeter } from "./greeter.mjs";

const version = process.env.VERSION ?? "v1";
const hello = (name) => ({ text: `Hello ${name} from ${version}` });

const server = new Server();
server.addService(Greeter.service, {
  sayHello({ request }, reply) {
    reply(null, hello(request.name));
  },
  countdown(call) {
    const { from, stepMs } = call.request;
    let left = from;
    const timer = setInterval(() => {
      if (left === 0) return call.end();
      call.write(hello(left--));
    }, stepMs);
    call.on("close", () => clearInterval(timer));
  },
  chat(call) {
    call.on("data", ({ name }) => call.write(hello(name)));
    call.on("end", () => call.end());
  },
});
server.bindAsync(
  `127.0.0.1:${process.env.PORT ?? 0}`,
  ServerCredentials.createInsecure(),
  (e, port) => {
    if (e !== null) throw e;
    console.log(`greeter ${version} listens on 127.0.0.1:${port}`);
  },
);
