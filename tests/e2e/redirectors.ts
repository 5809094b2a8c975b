/** nginx and HAProxy on loopback: as redirectors beside acme-lb, or as proxies before it. */

import { type Daemon, eventually, startDaemon, tail } from "./daemon.ts";

export interface Redirector extends AsyncDisposable {
  name: string;
  port: number;
  daemon: Daemon;
}

interface Start {
  name: string;
  directory: string;
  /** The configuration for a port to listen on. */
  config: (port: number) => string;
  argv: (file: string) => string[];
}

/** nginx with one server; `server` is its content without `listen`. */
export function startNginxAlone(
  directory: string,
  { name = "nginx", server, http = "" }: { name?: string; server: string; http?: string },
): Promise<Redirector> {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${directory}/${name}-${kind};`).join("\n");
  return start({
    name,
    directory,
    config: (port) =>
      `daemon off; pid ${directory}/${name}.pid; worker_processes 1;
${Deno.uid() === 0 ? "user root;" : ""}
events { worker_connections 1024; }
http { access_log off; ${temporary} ${http}
server { listen 127.0.0.1:${port}; ${server} } }
`,
    argv: (file) => ["nginx", "-e", "stderr", "-c", file],
  });
}

/**
 * HAProxy with its default buffers and one frontend; `sections` is all behind its bind line, `pem`
 * a file for TLS.
 */
export function startHaproxyAlone(
  directory: string,
  { name = "haproxy", sections, pem }: { name?: string; sections: string; pem?: string },
): Promise<Redirector> {
  return start({
    name,
    directory,
    config: (port) =>
      `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend plain
  bind 127.0.0.1:${port}${pem ? ` ssl crt ${pem}` : ""}
${sections}
`,
    argv: (file) => ["haproxy", "-db", "-f", file],
  });
}

async function start({ name, directory, config, argv }: Start): Promise<Redirector> {
  const port = freePort();
  const file = `${directory}/${name}.conf`;
  await Deno.writeTextFile(file, config(port));
  const daemon = await startDaemon(argv(file), { log: `${directory}/${name}.log` });
  const stop = async () => void await daemon.stop();
  try {
    await eventually(async () => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
      conn?.close();
      return conn && true;
    }, { what: () => `${name} on port ${port}`, deadline: 120_000 });
  } catch (error) {
    await stop();
    throw new Error(`${error}\n${await tail(daemon.log)}`, { cause: error });
  }
  return { name, port, daemon, [Symbol.asyncDispose]: stop };
}

/** These programs cannot say which port they were given, so one is chosen for them. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
