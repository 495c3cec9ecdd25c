/**
 * A tunnel of either codec under any order of events: what the peer sent before its end is passed on once, in
 * order, and then its end, however late it is wanted and whatever becomes of the socket meanwhile.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Codec, Stream } from "../../core/stream.ts";
import { bytesOf, clientRig, connectHead, type Recorder, serverRig } from "../../proxy/h1/rig.ts";
import { runsOf } from "../support/property.ts";

const RUNS = runsOf("h1_tunnel", 400);

interface Opened {
  readonly codec: Codec;
  readonly stream: Stream<ResponseHead> | Stream<RequestHead>;
  readonly sink: Recorder<RequestHead> | Recorder<ResponseHead>;
}

function serverTunnel(): Opened {
  const rig = serverRig();
  rig.send("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n");
  const { stream, sink } = rig.exchanges[0]!;
  stream.head({ status: 200, fields: new Fields() }, false);
  return { codec: rig.server, stream, sink };
}

function clientTunnel(): Opened {
  const rig = clientRig();
  const { stream, sink } = rig.open();
  stream.head(connectHead(), false);
  rig.client.receive(bytesOf("HTTP/1.1 200 OK\r\n\r\n"));
  return { codec: rig.client, stream, sink };
}

/** What happens next: bytes come, the sink holds or lets go, our side ends. */
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("receive" as const), text: fc.string({ minLength: 1 }) }),
    fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const, "end" as const) }),
  ),
  { maxLength: 20 },
);

for (const [name, open] of [["server", serverTunnel], ["client", clientTunnel]] as const) {
  Deno.test(`A tunnel of the ${name} codec loses nothing, whatever the order of events`, () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (events, closesFirst) => {
        const { codec, stream, sink } = open();
        let sent = "", pauses = 0, ended = false;
        for (const event of events) {
          if (event.kind === "receive") {
            const text = event.text.replace(/[^ -~]/g, "?");
            sent += text;
            codec.receive(bytesOf(text));
          } else if (event.kind === "pause") {
            pauses++;
            stream.pause();
          } else if (event.kind === "resume" && pauses > 0) {
            pauses--;
            stream.resume();
          } else if (event.kind === "end" && !ended) {
            ended = true;
            stream.data(bytesOf("ours"), true);
          }
        }
        codec.eof();
        if (!ended) stream.data(bytesOf("ours"), true);
        // Both ends are said: the socket goes, before or after what is held is wanted.
        if (closesFirst) codec.close(null);
        for (; pauses > 0; pauses--) stream.resume();
        if (!closesFirst) codec.close(null);
        assert.equal(sink.fault, null);
        const seen = sink.events().slice(1);
        const data = seen.filter((line) => line.startsWith("data ")).map((line) => line.slice(5));
        assert.equal(data.join(""), sent);
        assert.deepEqual(seen.filter((line) => !line.startsWith("data ")), ["end", "closed"]);
        assert.equal(seen.at(-1), "closed");
      }),
      RUNS,
    );
  });
}
