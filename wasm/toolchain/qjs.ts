/** Which package turns JavaScript into a component on this platform. */

/**
 * The binding alone: the wrapper package names platforms that were never published, and Deno refuses
 * to install it for that.
 */
export const QJS_PACKAGE = `@andreiltd/componentize-qjs-binding-${platform()}@0.4.5`;

function platform(): string {
  const arch = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  switch (Deno.build.os) {
    case "windows":
      return `win32-${arch}-msvc`;
    case "darwin":
      return `darwin-${arch}`;
    default:
      return `linux-${arch}-gnu`; // Deno itself needs glibc
  }
}
