/** An upstream for those who have none: says back what reached it, so that a filter's changes can be seen. */

export interface Echo {
  /** `127.0.0.1:port`. */
  readonly address: string;
  close(): Promise<void>;
}

export function startEcho(): Echo {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const url = new URL(request.url);
    const head = [`${request.method} ${url.pathname}${url.search}`];
    for (const [name, value] of request.headers) head.push(`${name}: ${value}`);
    const body = await request.text();
    return new Response(`${head.join("\n")}\n\n${body}`, {
      headers: { "content-type": "text/plain; charset=utf-8" },
    });
  });
  const { port } = server.addr as Deno.NetAddr;
  return { address: `127.0.0.1:${port}`, close: () => server.shutdown() };
}
