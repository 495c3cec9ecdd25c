// An ordinary gRPC client. Two things make it meshed: it connects to the outbound port of its sidecar, and
// it says which Service it means, as the authority of its calls.
import process from "node:process";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import { Greeter } from "./greeter.mjs";

const sidecar = process.env.OUTBOUND ?? "127.0.0.1:15001";
const greeter = new Greeter(sidecar, credentials.createInsecure(), {
  "grpc.default_authority": "greeter:50051",
});

const sayHello = (name, headers = {}) =>
  new Promise((done) => {
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
    greeter.sayHello({ name }, metadata, (e, reply) => done(e === null ? reply.text : told(e)));
  });

/** Every reply of a stream, and its end. */
const replies = (call) =>
  new Promise((done) => {
    const texts = [];
    call.on("data", (reply) => texts.push(reply.text));
    call.on("error", (e) => done([...texts, told(e)]));
    call.on("end", () => done(texts));
  });

const told = (e) => `${status[e.code]}: ${e.details}`;

console.log(await sayHello("Ada"));
console.log(await sayHello("Bob", { "x-version": "v2" }));

const chat = greeter.chat();
const answers = replies(chat);
for (const name of ["Carol", "Dave"]) chat.write({ name });
chat.end();
for (const text of await answers) console.log(text);

// Ten steps take longer than the deadline: the client hears of it, and the server stops.
const deadline = new Date(Date.now() + 500);
const countdown = greeter.countdown({ from: 10, stepMs: 200 }, { deadline });
console.log((await replies(countdown)).at(-1));
greeter.close();
