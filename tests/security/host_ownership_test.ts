/**
 * Nobody but the owner says where requests for a host go: sidecars of four namespaces and a gateway, and
 * tenants who would like to have each other's traffic (what Istio's bulletin 2026-002 was about).
 */
import assert from "node:assert/strict";
import { http } from "../support/http.ts";
import { meshService, startMesh, type TestMesh } from "../support/mesh.ts";

const CART = { group: "", kind: "Service", name: "cart", namespace: "shop" };

function route(name: string, parent: unknown, backend: string, more: object = {}): object {
  const [namespace, own] = name.split("/"), [home, target] = backend.split("/");
  const { filters, ...spec } = more as { filters?: unknown };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: own, namespace },
    spec: {
      parentRefs: [parent],
      ...spec,
      rules: [{
        ...(filters === undefined ? {} : { filters }),
        backendRefs: [{ name: target, namespace: home, port: 80 }],
      }],
    },
  };
}

const marked = {
  filters: [{
    type: "ResponseHeaderModifier",
    responseHeaderModifier: { set: [{ name: "x-route", value: "producer" }] },
  }],
};

/** Who answers a caller of each namespace that asks for Service shop/cart. */
async function answers(mesh: TestMesh): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const key of ["shop", "blue", "red", "other"]) {
    const answer = await http(mesh.outbound(key), { headers: { host: "cart.shop" } });
    const by = answer.headers["x-route"];
    found[key] = `${answer.status} ${answer.body}${by === undefined ? "" : ` by ${by}`}`;
  }
  return found;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

async function conditionOf(mesh: TestMesh, name: string, type: string): Promise<string> {
  const { status } = await mesh.client.get(`/api/v1/resources/HTTPRoute/${name}`) as {
    status: { parents: { conditions: Condition[] }[] };
  };
  const one = status.parents[0]!.conditions.find((condition) => condition.type === type)!;
  return `${one.status} ${one.reason}`;
}

Deno.test("Routes of tenants touch nobody's traffic but their own", async (t) => {
  const service = (name: string, namespace: string, key: string) => ({ name, namespace, key });
  await using mesh = await startMesh({
    services: [
      service("cart", "shop", "cart"),
      service("mock", "blue", "mock"),
      service("trap", "red", "trap"),
      ...["shop", "blue", "red", "other"].map((one) => service("app", one, one)),
    ],
  });
  const base = { shop: "200 cart", blue: "200 cart", red: "200 cart", other: "200 cart" };

  await t.step("without routes all callers reach the Service", async () => {
    assert.deepEqual(await answers(mesh), base);
  });

  await t.step("a consumer's override touches its own namespace's sidecars only", async () => {
    await mesh.apply([route("blue/mine", CART, "blue/mock")]);
    assert.deepEqual(await answers(mesh), { ...base, blue: "200 mock" });
    assert.equal(await conditionOf(mesh, "blue/mine", "denim.dev/Producer"), "False Consumer");
  });

  await t.step("two consumers do not see each other's", async () => {
    await mesh.apply([route("red/mine", CART, "red/trap")]);
    assert.deepEqual(await answers(mesh), { ...base, blue: "200 mock", red: "200 trap" });
  });

  await t.step("a route of the Service's own namespace holds for all who have none", async () => {
    await mesh.apply([route("shop/own", CART, "shop/cart", marked)]);
    assert.deepEqual(await answers(mesh), {
      shop: "200 cart by producer",
      blue: "200 mock",
      red: "200 trap",
      other: "200 cart by producer",
    });
    assert.equal(await conditionOf(mesh, "shop/own", "denim.dev/Producer"), "True Producer");
  });

  await t.step(
    "an override for another tenant's Service changes nothing for that tenant",
    async () => {
      const mock = { group: "", kind: "Service", name: "mock", namespace: "blue" };
      await mesh.apply([route("red/theirs", mock, "red/trap")]);
      assert.equal((await answers(mesh)).blue, "200 mock");
      const own = await http(mesh.outbound("blue"), { headers: { host: "mock" } });
      assert.equal(own.body, "mock");
    },
  );

  await t.step(
    "a producer cannot send its callers on to a namespace that has not agreed",
    async () => {
      const stolen = [route("shop/own", CART, "blue/mock", marked)];
      await assert.rejects(mesh.apply(stolen), /has no ReferenceGrant for HTTPRoutes/);
      assert.equal((await answers(mesh)).other, "200 cart by producer");
    },
  );
});

Deno.test("A Gateway's host names go to whom its owner permits, and he may take that back", async (t) => {
  await using mesh = await startMesh({
    services: [{ name: "site" }, { name: "trap", namespace: "red" }],
    resources: [],
  });
  const port = Number(new URL(mesh.gatewayUrl).port);
  const listeners = (from: string): object => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "edge" },
    spec: {
      listeners: [
        { name: "open", port, protocol: "HTTP", allowedRoutes: { namespaces: { from } } },
        { name: "pay", port, protocol: "HTTP", hostname: "*.pay.example" },
      ],
    },
  });
  const parent = { name: "edge", namespace: "default" };
  const ask = async (host: string): Promise<string> => {
    const { status, body } = await http(mesh.gatewayUrl, { headers: { host } });
    return status === 200 ? body : String(status);
  };
  await mesh.apply([
    meshService("site"),
    listeners("All"),
    route("default/pay", { name: "edge", sectionName: "pay" }, "default/site"),
  ]);

  await t.step("a closed listener takes no route of another namespace", async () => {
    const named = { ...parent, sectionName: "pay" };
    await assert.rejects(
      mesh.apply([route("red/take", named, "red/trap")]),
      /take no routes from namespace "red"/,
    );
  });

  await t.step("nor does it lose its names through an open one of the same port", async () => {
    await assert.rejects(
      mesh.apply([route("red/take", parent, "red/trap", { hostnames: ["a.pay.example"] })]),
      /belong to other listeners/,
    );
    const hostnames = ["a.pay.example", "*.pay.example", "free.example"];
    await mesh.apply([route("red/take", parent, "red/trap", { hostnames })]);
    assert.equal(await ask("a.pay.example"), "site");
    assert.equal(await ask("b.pay.example"), "site");
    assert.equal(await ask("free.example"), "trap");
    assert.equal(await conditionOf(mesh, "red/take", "Accepted"), "True Accepted");
  });

  await t.step(
    "who made use of a permission cannot keep its owner from taking it back",
    async () => {
      await mesh.apply([listeners("Same")]);
      assert.equal(await ask("free.example"), "404");
      assert.equal(await ask("a.pay.example"), "site");
      assert.equal(
        await conditionOf(mesh, "red/take", "Accepted"),
        "False NotAllowedByListeners",
      );
    },
  );
});
