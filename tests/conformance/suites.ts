/** The conformance suites by name: what each proves, what it needs, how long it takes. One row adds one. */

/** Something a suite cannot run without. */
export type Need =
  | { readonly kind: "command"; readonly name: string; readonly get: string }
  | { readonly kind: "corpus"; readonly name: string };

export interface Suite {
  readonly name: string;
  /** What a pass shows. */
  readonly proves: string;
  /** Test files or folders, from the root of the checkout. */
  readonly paths: readonly string[];
  readonly needs: readonly Need[];
  /** A script that builds what the tests run; they skip without it. */
  readonly prepare?: string;
  /** Seconds it takes, roughly. */
  readonly seconds: number;
  /** Part of `deno task conformance` without a name, and of CI. */
  readonly fast: boolean;
}

const HERE = "tests/conformance";
const NODE: Need = { kind: "command", name: "node", get: "install Node.js 22 or later" };
const GO: Need = { kind: "command", name: "go", get: "install Go 1.24 or later" };
const H2SPEC: Need = {
  kind: "command",
  name: "h2spec",
  get: "go install github.com/summerwind/h2spec/cmd/h2spec@latest",
};

export const SUITES: readonly Suite[] = [
  {
    name: "h1",
    proves: "HTTP/1.1 strictness and proxy semantics: our tables, on the codec and on the wire",
    paths: [`${HERE}/h1/cases_test.ts`, `${HERE}/h1/live_test.ts`, `${HERE}/h1/proxy_test.ts`],
    needs: [],
    seconds: 10,
    fast: true,
  },
  {
    name: "llhttp",
    proves: "llhttp's request and response fixtures in strict mode",
    paths: [`${HERE}/h1/llhttp_test.ts`],
    needs: [{ kind: "corpus", name: "llhttp" }],
    seconds: 3,
    fast: true,
  },
  {
    name: "differential",
    proves:
      "what we accept, as either HTTP version, and forward is read alike by haproxy and llhttp",
    paths: [
      "tests/property/h1_differential_test.ts",
      `${HERE}/h1/haproxy_test.ts`,
      `${HERE}/h1/haproxy_responses_test.ts`,
      `${HERE}/h2/downgrade_test.ts`,
    ],
    needs: [NODE], // and haproxy, without which that half is left out
    seconds: 20,
    fast: true,
  },
  {
    name: "hpack",
    proves: "the http2jp HPACK stories: decoded, and encoded and decoded again",
    paths: [`${HERE}/hpack`],
    needs: [{ kind: "corpus", name: "hpack" }],
    seconds: 10,
    fast: true,
  },
  {
    name: "h2spec",
    proves: "h2spec --strict generic, http2 and hpack, over h2c and TLS",
    paths: [`${HERE}/h2spec`],
    needs: [H2SPEC],
    seconds: 5,
    fast: true,
  },
  {
    name: "grpc",
    proves: "grpc-go's interop cases through two sidecars and the gateway, with TLS and without",
    paths: [
      `${HERE}/grpc`,
      "tests/integration/grpc_test.ts",
      "tests/integration/grpc_mesh_test.ts",
    ],
    needs: [GO, NODE],
    prepare: `${HERE}/grpc/build.ts`,
    seconds: 60,
    fast: false,
  },
  {
    name: "websocket",
    proves: "a fuzzing client sees no proxy in two sidecars; tunnels carry any bytes and endings",
    paths: [`${HERE}/websocket`, "tests/integration/websocket_test.ts"],
    needs: [NODE], // and kosoku (pip install kosoku), without which that part is left out
    seconds: 30,
    fast: true,
  },
  {
    name: "signatures",
    proves:
      "Project Wycheproof on the signatures of certificates: ECDSA and RSA, every trick with them",
    paths: [`${HERE}/signatures`],
    needs: [GO],
    prepare: `${HERE}/signatures/download.ts`,
    seconds: 5,
    fast: true,
  },
  {
    name: "gateway-api",
    proves: "Gateway API validation and matching: our tables from the text of the API",
    paths: [`${HERE}/gateway_api`],
    needs: [],
    seconds: 5,
    fast: true,
  },
  {
    name: "proxy-wasm",
    proves: "the ABI clause by clause; SDKs' own examples do what their authors state",
    paths: [`${HERE}/proxy_wasm`],
    needs: [], // each compiler and registry that is not here leaves its examples out
    prepare: `${HERE}/proxy_wasm/build.ts`,
    seconds: 120, // the first time, with its builds
    fast: false,
  },
  {
    name: "spiffe",
    proves: "go-spiffe's vectors for ids and bundle documents, read from Go's module cache",
    paths: [`${HERE}/spiffe/spiffe_test.ts`],
    needs: [GO],
    seconds: 1,
    fast: true,
  },
];
