/** PEM: one label, nothing between the blocks. */
import assert from "node:assert/strict";
import { decodePem, encodePem } from "./pem.ts";

const CERTIFICATE = "CERTIFICATE";

Deno.test("decodePem reads back what encodePem wrote", () => {
  for (const size of [1, 47, 48, 49, 1000]) {
    const bytes = new Uint8Array(size).fill(size);
    const pem = encodePem(bytes, CERTIFICATE);
    assert.deepEqual(decodePem(pem + pem, CERTIFICATE), [bytes, bytes]);
    assert.deepEqual(decodePem(pem.replaceAll("\n", "\r\n"), CERTIFICATE), [bytes]);
    assert.ok(pem.split("\n").every((line) => line.length <= 64));
  }
});

Deno.test("decodePem refuses other labels, strange text, bad base64 and nothing at all", () => {
  const good = encodePem(Uint8Array.of(1, 2, 3), CERTIFICATE);
  const key = encodePem(Uint8Array.of(1, 2, 3), "PRIVATE KEY");
  for (const text of ["", "nonsense", good + "x", key, good + key, good.replace("AQID", "A")]) {
    assert.equal(decodePem(text, CERTIFICATE), null, text);
  }
});
