/** The API described by itself: OpenAPI 3.1, generated from the table of kinds and the bodies' schemas. */
import { Hono } from "hono";
import { z } from "zod";
import { jsonSchema, KINDS } from "../schema/kinds.ts";
import { applyBody, rollbackBody } from "./apply.ts";
import type { ApiDeps } from "./deps.ts";
import { publisherBody } from "./filters.ts";
import { tokenBody } from "./tokens.ts";

type Method = "get" | "post" | "delete";

interface Operation {
  readonly method: Method;
  /** Below `/api/v1`, with `{name}` for parameters. */
  readonly path: string;
  readonly summary: string;
  readonly query?: readonly string[];
  readonly body?: z.ZodType | "form";
  /** What a success looks like, in a few words, and its media type where it is not JSON. */
  readonly answer: string;
  readonly media?: string;
}

/** One row per call; a test holds it against the routes that are really there. */
export const OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/apply",
    summary: "Apply resources: all of them as one revision, or none",
    body: applyBody,
    answer: "The revision and what changed",
  },
  {
    method: "post",
    path: "/rollback",
    summary: "Make a new revision that equals an old one",
    body: rollbackBody,
    answer: "The revision and what changed",
  },
  { method: "get", path: "/resources", summary: "All resources", answer: "Resources" },
  {
    method: "get",
    path: "/resources/{kind}",
    summary: "Resources of one kind",
    query: ["namespace"],
    answer: "Resources",
  },
  {
    method: "get",
    path: "/resources/{kind}/{namespace}/{name}",
    summary: "One resource",
    answer: "The resource",
  },
  {
    method: "delete",
    path: "/resources/{kind}/{namespace}/{name}",
    summary: "Delete one resource, as a revision",
    query: ["message", "author"],
    answer: "The revision and what changed",
  },
  {
    method: "get",
    path: "/revisions",
    summary: "The history, newest first",
    query: ["limit"],
    answer: "Revisions",
  },
  {
    method: "get",
    path: "/revisions/{revision}",
    summary: "One revision with both sides of every change",
    answer: "The revision",
  },
  {
    method: "get",
    path: "/diff",
    summary: "What changed from one revision to another",
    query: ["from", "to"],
    answer: "Changes with both sides",
  },
  {
    method: "get",
    path: "/proxies",
    summary: "Every proxy: what it should have, what it has, why not, its last report",
    answer: "Proxies",
  },
  {
    method: "get",
    path: "/services",
    summary: "Services with their workloads",
    answer: "Services",
  },
  {
    method: "get",
    path: "/bindings",
    summary: "FilterBindings as they run in proxies: state, fuel, time, traps",
    answer: "One row per binding and proxy",
  },
  {
    method: "get",
    path: "/converged",
    summary: "Whether every connected proxy has a revision in force",
    query: ["revision"],
    answer: "Who has it, who waits, who refused it and why",
  },
  { method: "get", path: "/filters", summary: "The marketplace", answer: "Listings" },
  {
    method: "post",
    path: "/filters",
    summary: "Push a signed filter: members module, manifest, statement, signature",
    body: "form",
    answer: "The listing",
  },
  {
    method: "get",
    path: "/filters/{publisher}/{name}",
    summary: "All versions of a filter",
    answer: "Listings",
  },
  {
    method: "get",
    path: "/filters/{publisher}/{name}/{version}",
    summary: "One version of a filter",
    answer: "The listing",
  },
  {
    method: "get",
    path: "/filters/{digest}/source",
    summary: "What was pushed, as it was pushed",
    answer: "The module",
    media: "application/octet-stream",
  },
  { method: "get", path: "/publishers", summary: "Known publishers", answer: "Publishers" },
  {
    method: "post",
    path: "/publishers",
    summary: "Make a publisher's key known",
    body: publisherBody,
    answer: "The publisher",
  },
  {
    method: "post",
    path: "/tokens",
    summary: "A single-use join token for one identity",
    body: tokenBody,
    answer: "The token",
  },
  {
    method: "get",
    path: "/trust-bundle",
    summary: "The certificates that may vouch for members of the mesh",
    answer: "PEM",
    media: "application/x-pem-file",
  },
  {
    method: "get",
    path: "/ca",
    summary: "The authority: roots, issuing certificates, how long they live",
    answer: "The authority",
  },
  { method: "get", path: "/openapi.json", summary: "This description", answer: "OpenAPI 3.1" },
];

export function openApiRoutes(_deps: ApiDeps): Hono {
  const app = new Hono();
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
      description: "Reads are open on loopback; everything else wants the admin token.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api/v1" }],
    paths,
    components: {
      schemas: { ...kinds, Error: ERROR },
      securitySchemes: { admin: { type: "http", scheme: "bearer" } },
    },
  };
}

function describeOperation({ method, path, summary, query = [], body, answer, media }: Operation) {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => parameter(name!, "path", true));
  const inQuery = query.map((name) => parameter(name, "query", false));
  const type = media ?? "application/json";
  const schema = media === undefined ? { type: "object" } : { type: "string" };
  return {
    summary,
    parameters: [...inPath, ...inQuery],
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body) } }),
    ...(method === "get" ? {} : { security: [{ admin: [] }] }),
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
