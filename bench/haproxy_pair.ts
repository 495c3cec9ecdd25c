/** haproxy as a pair of sidecars: plaintext in, mTLS with verified certificates between, plaintext out. */
import { COMMON, startHaproxy } from "./haproxy.ts";
import { freePorts, type Pinned, untilListening } from "./process.ts";

export interface HaproxyPair extends AsyncDisposable {
  readonly url: string;
  readonly pids: readonly number[];
}

/** Starts both on one core, in front of the origin. */
export async function startHaproxyPair(core: number, originPort: number): Promise<HaproxyPair> {
  const [clientPort, serverPort] = freePorts(2) as [number, number];
  const folder = await Deno.makeTempDir({ prefix: "denim-bench-" });
  await certificates(folder);
  const started: Pinned[] = [];
  const dispose = async (): Promise<void> => {
    for (const haproxy of started) await haproxy[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  };
  try {
    started.push(await startHaproxy(core, serverConfig(folder, serverPort, originPort)));
    await untilListening(serverPort);
    started.push(await startHaproxy(core, clientConfig(folder, clientPort, serverPort)));
    await untilListening(clientPort);
  } catch (problem) {
    await dispose();
    throw problem;
  }
  return {
    url: `http://127.0.0.1:${clientPort}`,
    pids: started.map((haproxy) => haproxy.pid),
    [Symbol.asyncDispose]: dispose,
  };
}

/** The caller's side: connections kept and shared by all clients, the server's certificate and name checked. */
export function clientConfig(folder: string, port: number, serverPort: number): string {
  return `${COMMON}  http-reuse always
frontend outbound
  bind 127.0.0.1:${port}
  default_backend server
backend server
  server server 127.0.0.1:${serverPort} ssl crt ${folder}/client.both ca-file ${folder}/ca.pem verify required sni str(server.mesh) verifyhost server.mesh
`;
}

/** The called's side: a client certificate is demanded and checked. */
export function serverConfig(folder: string, port: number, originPort: number): string {
  return `${COMMON}  http-reuse always
frontend inbound
  bind 127.0.0.1:${port} ssl crt ${folder}/server.both ca-file ${folder}/ca.pem verify required
  default_backend app
backend app
  server app 127.0.0.1:${originPort}
`;
}

/** The same kind Denim uses: P-256, one authority, one certificate each. */
async function certificates(folder: string): Promise<void> {
  const script = `set -e
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -subj /CN=ca -days 2 -out ca.pem
for n in client server; do
  openssl ecparam -name prime256v1 -genkey -noout -out $n.key
  openssl req -new -key $n.key -subj /CN=$n -out $n.csr
  printf "subjectAltName=URI:spiffe://mesh.local/ns/default/sa/$n,DNS:$n.mesh\\n" > $n.ext
  openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $n.ext -out $n.pem
  cat $n.pem $n.key > $n.both
done`;
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-c", script],
    cwd: folder,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(`openssl made no certificates: ${new TextDecoder().decode(stderr)}`);
  }
}
