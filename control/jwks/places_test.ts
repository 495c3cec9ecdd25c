import assert from "node:assert/strict";
import { JwksPlaces } from "./places.ts";

const open = new JwksPlaces();

const PUBLIC = ["8.8.8.8", "1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00::1"];
const PRIVATE = [
  "127.0.0.1",
  "127.255.255.254",
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::1",
  "::",
  "fe80::1",
  "fc00::1",
  "fd00:ec2::254",
  "ff02::1",
  "64:ff9b::7f00:1",
  "2002:7f00:1::",
  "2001::1",
  "2001:db8::1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::ffff:a9fe:a9fe",
  "::127.0.0.1",
];

Deno.test("JwksPlaces: only public addresses may be called, however they are written", () => {
  for (const ip of PUBLIC) assert.equal(open.addressProblem("a.example", ip), null, ip);
  for (const ip of PRIVATE) {
    assert.match(open.addressProblem("a.example", ip) ?? "it may", /no public address/, ip);
  }
  for (const ip of ["fe80::1%eth0", "0x7f.1", "2130706433", "localhost", ""]) {
    assert.match(open.addressProblem("a.example", ip) ?? "it may", /which is none/, ip);
  }
});

Deno.test("JwksPlaces: a network that is allowed is allowed for every host", () => {
  const places = new JwksPlaces({ allowedNetworks: ["10.0.0.0/8", "fd00::/8", "169.254.1.1"] });
  for (const ip of ["10.255.0.1", "::ffff:10.0.0.1", "fd12::1", "169.254.1.1"]) {
    assert.equal(places.addressProblem("a.example", ip), null, ip);
  }
  for (const ip of ["11.0.0.1", "127.0.0.1", "fc00::1", "169.254.1.2"]) {
    assert.equal(places.addressProblem("a.example", ip) === null, ip === "11.0.0.1", ip);
  }
});

Deno.test("JwksPlaces: a host that is allowed may be private, but never on the link", () => {
  const places = new JwksPlaces({ allowedHosts: ["idp.corp"] });
  for (const ip of ["10.0.0.1", "127.0.0.1", "fd00::1", "::1"]) {
    assert.equal(places.addressProblem("idp.corp", ip), null, ip);
    assert.notEqual(places.addressProblem("other.corp", ip), null, ip);
  }
  for (const ip of ["169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "fe80::1", "::"]) {
    assert.notEqual(places.addressProblem("idp.corp", ip), null, ip);
  }
});

Deno.test("JwksPlaces: URLs say by themselves when they may not be asked", () => {
  const problem = (places: JwksPlaces, url: string) => places.urlProblem(new URL(url)) ?? "";
  assert.equal(problem(open, "https://a.example/keys"), "");
  assert.match(problem(open, "http://a.example/keys"), /plaintext.*"a\.example"/);
  assert.match(problem(open, "https://169.254.169.254/latest"), /169\.254\.169\.254/);
  // Forms of addresses that URLs know and people do not expect.
  assert.match(problem(open, "https://0x7f.1/"), /127\.0\.0\.1/);
  assert.match(problem(open, "https://2130706433/"), /127\.0\.0\.1/);
  assert.match(problem(open, "https://[::ffff:10.0.0.1]/"), /10\.0\.0\.1/);
  const lab = new JwksPlaces({ allowedHosts: ["idp.corp"], allowedNetworks: ["127.0.0.0/8"] });
  assert.equal(problem(lab, "http://idp.corp/keys"), "");
  assert.equal(problem(lab, "http://idp.corp./keys"), "");
  assert.equal(problem(lab, "http://127.0.0.1:8080/keys"), "");
  assert.match(problem(lab, "http://a.example/keys"), /plaintext/);
});
