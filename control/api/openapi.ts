/** The API described by itself: OpenAPI 3.1, generated from the table of kinds and the bodies' schemas. */
import { Hono } from "hono";
import { z } from "zod";
import { type Role, rolesFor } from "../access/roles.ts";
import type { ApiEnv } from "../auth.ts";
import { jsonSchema, KINDS } from "../schema/kinds.ts";
import { accessTokenBody } from "./access_tokens.ts";
import { applyBody, rollbackBody } from "./apply.ts";
import type { ApiDeps } from "./deps.ts";
import { publisherBody } from "./filters.ts";
import { revokeBody, unrevokeBody } from "./revocations.ts";
import { byBody, rotateBody } from "./rotation.ts";
import { tokenBody } from "./tokens.ts";

type Method = "get" | "post" | "delete";

export interface Operation {
  readonly method: Method;
  /** Below `/api/v1`, with `{name}` for parameters. */
  readonly path: string;
  /** Who may: this role and those that include it. */
  readonly role: Role;
  readonly summary: string;
  readonly query?: readonly string[];
  readonly body?: z.ZodType | "form";
  /** What a success looks like, in a few words, and its media type where it is not JSON. */
  readonly answer: string;
  readonly media?: string;
}

/**
 * One row per call; a test holds it against the routes that are really there. The roles are not only
 * described here: `rules.ts` enforces this table, and a route without a row is for admins.
 */
export const OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/apply",
    role: "operator",
    summary: "Apply resources: all of them as one revision, or none",
    body: applyBody,
    answer: "The revision and what changed",
  },
  {
    method: "post",
    path: "/rollback",
    role: "operator",
    summary: "Make a new revision that equals an old one",
    body: rollbackBody,
    answer: "The revision and what changed",
  },
  {
    method: "get",
    path: "/key-sets",
    role: "viewer",
    summary: "Key sets of token issuers: what was fetched when, and what went wrong",
    answer: "Key sets",
  },
  {
    method: "get",
    path: "/resources",
    role: "viewer",
    summary: "All resources",
    answer: "Resources",
  },
  {
    method: "get",
    path: "/resources/{kind}",
    role: "viewer",
    summary: "Resources of one kind",
    query: ["namespace"],
    answer: "Resources",
  },
  {
    method: "get",
    path: "/resources/{kind}/{namespace}/{name}",
    role: "viewer",
    summary: "One resource",
    answer: "The resource",
  },
  {
    method: "delete",
    path: "/resources/{kind}/{namespace}/{name}",
    role: "operator",
    summary: "Delete one resource, as a revision",
    query: ["message", "author"],
    answer: "The revision and what changed",
  },
  {
    method: "get",
    path: "/revisions",
    role: "viewer",
    summary: "The history, newest first",
    query: ["limit"],
    answer: "Revisions",
  },
  {
    method: "get",
    path: "/revisions/{revision}",
    role: "viewer",
    summary: "One revision with both sides of every change",
    answer: "The revision",
  },
  {
    method: "get",
    path: "/diff",
    role: "viewer",
    summary: "What changed from one revision to another",
    query: ["from", "to"],
    answer: "Changes with both sides",
  },
  {
    method: "get",
    path: "/proxies",
    role: "viewer",
    summary: "Every proxy: what it should have, what it has, why not, its last report",
    answer: "Proxies",
  },
  {
    method: "get",
    path: "/services",
    role: "viewer",
    summary: "Services with their workloads",
    answer: "Services",
  },
  {
    method: "get",
    path: "/bindings",
    role: "viewer",
    summary: "FilterBindings as they run in proxies: state, fuel, time, traps",
    answer: "One row per binding and proxy",
  },
  {
    method: "get",
    path: "/traps",
    role: "operator",
    summary: "The last traps of filters, with the exchanges that triggered them",
    query: ["binding"],
    answer: "Traps by proxy, oldest first",
  },
  {
    method: "get",
    path: "/converged",
    role: "viewer",
    summary: "Whether every connected proxy has a revision in force",
    query: ["revision"],
    answer: "Who has it, who waits, who refused it and why",
  },
  {
    method: "get",
    path: "/filters",
    role: "viewer",
    summary: "The marketplace",
    answer: "Listings",
  },
  {
    method: "post",
    path: "/filters",
    role: "publisher",
    summary: "Push a signed filter: members module, manifest, statement, signature",
    body: "form",
    answer: "The listing",
  },
  {
    method: "get",
    path: "/filters/{publisher}/{name}",
    role: "viewer",
    summary: "All versions of a filter",
    answer: "Listings",
  },
  {
    method: "get",
    path: "/filters/{publisher}/{name}/{version}",
    role: "viewer",
    summary: "One version of a filter",
    answer: "The listing",
  },
  {
    method: "get",
    path: "/filters/{digest}/source",
    role: "viewer",
    summary: "What was pushed, as it was pushed",
    answer: "The module",
    media: "application/octet-stream",
  },
  {
    method: "get",
    path: "/publishers",
    role: "viewer",
    summary: "Known publishers",
    answer: "Publishers",
  },
  {
    method: "post",
    path: "/publishers",
    role: "publisher",
    summary: "Make a publisher's key known",
    body: publisherBody,
    answer: "The publisher",
  },
  {
    method: "post",
    path: "/tokens",
    role: "operator",
    summary: "A single-use join token for one identity",
    body: tokenBody,
    answer: "The token",
  },
  {
    method: "get",
    path: "/trust-bundle",
    role: "viewer",
    summary: "The certificates that may vouch for members of the mesh",
    answer: "PEM",
    media: "application/x-pem-file",
  },
  {
    method: "get",
    path: "/ca",
    role: "viewer",
    summary: "The authority: roots, issuing certificates, how long they live",
    answer: "The authority",
  },
  {
    method: "get",
    path: "/access-tokens",
    role: "admin",
    summary: "Tokens that people and programs call with; not what they are, but whose",
    answer: "Tokens without their texts",
  },
  {
    method: "post",
    path: "/access-tokens",
    role: "admin",
    summary: "A token with a role, a name and an end",
    body: accessTokenBody,
    answer: "The token, shown this once",
  },
  {
    method: "delete",
    path: "/access-tokens/{id}",
    role: "admin",
    summary: "Revoke a token, by id or name",
    answer: "The token that was revoked",
  },
  {
    method: "get",
    path: "/audit/certs",
    role: "operator",
    summary: "What the authority issued, newest first, and whether its log is whole",
    query: ["identity", "serial", "since", "limit"],
    answer: "Certificates, and breaks in the chain of the log",
  },
  {
    method: "get",
    path: "/audit",
    role: "admin",
    summary: "Changes and refused attempts, newest first",
    query: ["limit", "result"],
    answer: "Entries",
  },
  {
    method: "get",
    path: "/forecast",
    role: "viewer",
    summary:
      "What will have expired by some moment, and whether it is renewed by itself until then",
    query: ["at"],
    answer: "What ends, why it is fine or what to do",
  },
  {
    method: "get",
    path: "/ca/rotation",
    role: "viewer",
    summary: "Where a rotation of the authority is, whom it waits for, and what to do",
    answer: "The rotation, null when there was none",
  },
  {
    method: "post",
    path: "/ca/rotation",
    role: "admin",
    summary: "Begin to replace the root or the intermediate",
    body: rotateBody,
    answer: "The rotation",
  },
  {
    method: "post",
    path: "/ca/rotation/abort",
    role: "admin",
    summary: "Go back to what was before the rotation",
    body: byBody,
    answer: "The rotation",
  },
  {
    method: "post",
    path: "/ca/rotation/force",
    role: "admin",
    summary: "Go on without proxies that are away",
    body: byBody,
    answer: "The rotation, and who was left behind",
  },
  {
    method: "get",
    path: "/revocations",
    role: "viewer",
    summary: "Identities and certificates that are no longer let in",
    answer: "Revocations",
  },
  {
    method: "post",
    path: "/revocations",
    role: "operator",
    summary: "Revoke an identity, or one certificate by its serial",
    body: revokeBody,
    answer: "The revocation, and whether it is new",
  },
  {
    method: "post",
    path: "/revocations/undo",
    role: "admin",
    summary: "Let somebody in again",
    body: unrevokeBody,
    answer: "What is no longer revoked",
  },
  {
    method: "get",
    path: "/openapi.json",
    role: "viewer",
    summary: "This description",
    answer: "OpenAPI 3.1",
  },
];

export function openApiRoutes(_deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  let text: string | null = null;
  app.get("/openapi.json", (c) => {
    text ??= JSON.stringify(describe());
    return c.body(text, 200, { "content-type": "application/json" });
  });
  return app;
}

function describe(): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    (paths[operation.path] ??= {})[operation.method] = describeOperation(operation);
  }
  const kinds = Object.fromEntries(KINDS.map(({ kind }) => [kind, jsonSchema(kind)]));
  return {
    openapi: "3.1.0",
    info: {
      title: "Denim control plane",
      version: "1",
      description:
        "Everybody on the machine itself may do what a viewer may, unless that is switched " +
        "off; the rest wants a token of a role. x-denim-roles of each call says which roles may.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api/v1" }],
    paths,
    components: {
      schemas: { ...kinds, Error: ERROR },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function describeOperation(operation: Operation) {
  const { method, path, role, summary, query = [], body, answer, media } = operation;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => parameter(name!, "path", true));
  const inQuery = query.map((name) => parameter(name, "query", false));
  const type = media ?? "application/json";
  const schema = media === undefined ? { type: "object" } : { type: "string" };
  return {
    summary,
    parameters: [...inPath, ...inQuery],
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body) } }),
    ...(method === "get" && role === "viewer" ? {} : { security: [{ token: [] }] }),
    "x-denim-roles": rolesFor(role),
    responses: {
      "200": { description: answer, content: { [type]: { schema } } },
      default: {
        description: "What is wrong and where",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function contentOf(body: z.ZodType | "form"): Record<string, unknown> {
  if (body !== "form") {
    const schema = z.toJSONSchema(body, { io: "input", unrepresentable: "any" });
    return { "application/json": { schema } };
  }
  const text = { type: "string" };
  const members = { module: { ...text, format: "binary" }, manifest: text, statement: text };
  return {
    "multipart/form-data": {
      schema: { type: "object", properties: { ...members, signature: text } },
    },
  };
}

function parameter(name: string, place: "path" | "query", required: boolean) {
  return { name, in: place, required, schema: { type: "string" } };
}

const DETAIL = {
  type: "object",
  properties: {
    path: { type: "string" },
    message: { type: "string" },
    resource: { type: "string" },
    document: { type: "integer" },
  },
};
const ERROR = {
  type: "object",
  properties: {
    error: {
      type: "object",
      required: ["code", "message", "details"],
      properties: {
        code: { type: "string" },
        message: { type: "string" },
        details: { type: "array", items: DETAIL },
      },
    },
  },
};
