/** nginx as a rival: one worker, connections to the server kept, no logs, as its manual says for upstreams. */
import { type Pinned, startPinned, untilListening } from "../process.ts";

/** One HTTP hop. `folder` takes its pid file and temporary files. */
export function nginxHopConfig(port: number, originPort: number, folder: string): string {
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder};
  proxy_temp_path ${folder};
  fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder};
  scgi_temp_path ${folder};
  keepalive_timeout 60s;
  keepalive_requests 100000000;
  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive 256;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}

export interface RunningNginx extends Pinned {
  /** Its master and its worker. */
  readonly pids: readonly number[];
}

/** Starts it on one core; `config` is given a folder of its own. */
export async function startNginx(
  core: number,
  port: number,
  config: (folder: string) => string,
): Promise<RunningNginx> {
  const folder = await Deno.makeTempDir({ prefix: "denim-bench-" });
  await Deno.writeTextFile(`${folder}/nginx.conf`, config(folder));
  const nginx = startPinned(core, ["nginx", "-e", "stderr", "-p", folder, "-c", "nginx.conf"]);
  const dispose = async (): Promise<void> => {
    await nginx[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await untilListening(port);
  } catch (problem) {
    await dispose();
    throw problem;
  }
  const { pid, process } = nginx;
  const workers = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ");
  return { pid, process, pids: [pid, ...workers.map(Number)], [Symbol.asyncDispose]: dispose };
}
