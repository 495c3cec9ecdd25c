// The service as both programs see it: greeter.proto, loaded.
import { loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const proto = new URL("./greeter.proto", import.meta.url).pathname;

export const { Greeter } = loadPackageDefinition(loadSync(proto)).hello.v1;
