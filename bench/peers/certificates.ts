/** Certificates for pairs of rivals, of the kind Denim uses: P-256, one authority, a SPIFFE id each. */

/** Makes `ca.pem`, and `NAME.pem`, `NAME.key`, `NAME.both` for `client` and `server`, by openssl. */
export async function writeCertificates(folder: string): Promise<void> {
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
