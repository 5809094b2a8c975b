/**
 * The contenders, each with its configuration: acme-lb, nginx as the source document sets it up
 * (with `[::]` listeners and without an access log), and HAProxy's own redirect.
 *
 * One process does the work in each: nginx has one worker, HAProxy one thread.
 */

import { type Child, startChild } from "./child.ts";
import type { Figure } from "./report.ts";

/** What every measurement needs to start a contender. */
export interface Bench {
  /** Scratch directory. */
  directory: string;
  /** The command line of acme-lb, to which a subcommand is added. */
  acmeLb: string[];
  nginx: boolean;
  haproxy: boolean;
  wrk: boolean;
  /** Fewer and shorter rounds. */
  quick: boolean;
  /** This runs in namespaces of its own. */
  apart: boolean;
  /** Says what is going on, where somebody is watching. */
  progress(text: string): void;
  /**
   * Measures a part of a section. When it fails, that is told under this name, the exit code is 1,
   * and the other parts are measured all the same.
   * @returns its figures; none when it failed
   */
  part(what: string, measure: () => Promise<Figure[]>): Promise<Figure[]>;
}

export interface Balancer {
  publicPort: number;
  challengePort: number;
  /** The challenge ports of all balancers, as `[addr]:port`. */
  peers: string[];
  webroot: string;
  /** Put before the command line, to run it elsewhere; must `exec`. */
  prefix?: string[];
  /** Where to connect to see that it has started. @default "::1" */
  hostname?: string;
  /** Connections that it must be able to hold. */
  connections?: number;
  /** How many of them one source may have. @default all */
  perSource?: number;
}

/** `acme-lb serve`. */
export async function startAcmeLb(bench: Bench, balancer: Balancer): Promise<Child> {
  const { publicPort, challengePort, peers, webroot, connections } = balancer;
  const { perSource = connections } = balancer;
  const file = `${bench.directory}/acme-lb.yaml`;
  // JSON is YAML.
  const config = {
    webroot,
    public: { listen: [`[::]:${publicPort}`] },
    challenge: { listen: [`[::]:${challengePort}`] },
    peers,
    limits: connections === undefined ? {} : { connections, per_source: perSource },
  };
  await Deno.writeTextFile(file, JSON.stringify(config, null, 2));
  return await start(bench, balancer, [...bench.acmeLb, "serve", "--config", file]);
}

/** `acme-lb challenge-server`, as a peer of the balancer that is measured. */
export async function startPeer(
  bench: Bench,
  { port, webroot }: { port: number; webroot: string },
): Promise<Child> {
  const argv = ["challenge-server", "--listen", `[::]:${port}`, "--webroot", webroot];
  return await startChild([...bench.acmeLb, ...argv], {
    address: { hostname: "::1", port },
    log: `${bench.directory}/peer-${port}.log`,
  });
}

/** nginx with the source document's two servers and its upstream group. */
export async function startNginx(bench: Bench, balancer: Balancer): Promise<Child> {
  const { publicPort, challengePort, peers, webroot, connections = 16_000 } = balancer;
  const { directory } = bench;
  const file = `${directory}/nginx.conf`;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${directory}/nginx-${kind};`).join("\n");
  const upstream = peers.map((peer) => `    server ${peer} fail_timeout=5s;`).join("\n");
  await Deno.writeTextFile(
    file,
    `daemon off;
${isRoot() ? "user root;" : ""}
worker_processes 1;
pid ${directory}/nginx.pid;
events { worker_connections ${connections + 100}; }
http {
  access_log off;
${temporary}
  upstream acme-backend {
${upstream || `    server [::1]:${challengePort};`}
  }
  server {
    listen [::]:${challengePort};
    location /.well-known/acme-challenge/ {
      alias ${webroot}/;
      default_type text/plain;
    }
    location / {
      deny all;
      root /usr/share/nginx/html/nonexist;
      autoindex off;
    }
  }
  server {
    listen [::]:${publicPort};
    server_name service.example;
    location /.well-known/acme-challenge/ {
      proxy_next_upstream error timeout invalid_header http_500 http_502
        http_503 http_504 http_403 http_404;
      proxy_pass http://acme-backend;
      proxy_read_timeout 5s;
      proxy_connect_timeout 5s;
      proxy_redirect off;
      proxy_set_header Host $server_name;
    }
    location / {
      return 301 https://$host$request_uri;
    }
  }
}
`,
  );
  return await start(bench, balancer, ["nginx", "-e", "stderr", "-c", file]);
}

/** HAProxy with nothing but a redirect, and the answer to one challenge where it is given. */
export async function startHaproxy(
  bench: Bench,
  { port, connections = 10_000, challenge }: {
    port: number;
    connections?: number;
    challenge?: { path: string; body: string };
  },
): Promise<Child> {
  const file = `${bench.directory}/haproxy.cfg`;
  // HAProxy plans for two descriptors a connection and refuses to start without them; a redirect
  // takes one, so the limit is allowed to be lower than planned.
  await Deno.writeTextFile(
    file,
    `global
  nbthread 1
  maxconn ${connections + 100}
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  timeout http-request 5s
frontend plain
  bind :::${port}
${
      challenge
        ? `  http-request return status 200 content-type text/plain string ${challenge.body} ` +
          `if { path ${challenge.path} }`
        : ""
    }
  http-request redirect scheme https code 301
`,
  );
  return await startChild(["haproxy", "-db", "-f", file], {
    address: { hostname: "::1", port },
    log: `${bench.directory}/haproxy.log`,
  });
}

/** The loop that does nothing but what every server must. */
export async function startBareLoop(bench: Bench, { port }: { port: number }): Promise<Child> {
  const program = new URL("bare_loop.ts", import.meta.url).pathname;
  return await startChild([Deno.execPath(), "run", "-A", "--no-config", program, `${port}`], {
    address: { hostname: "::1", port },
    log: `${bench.directory}/bare-loop.log`,
  });
}

export function isRoot(): boolean {
  return Deno.uid() === 0;
}

async function start(bench: Bench, balancer: Balancer, argv: string[]): Promise<Child> {
  const { publicPort: port, hostname = "::1", prefix = [] } = balancer;
  return await startChild([...prefix, ...argv], {
    address: { hostname, port },
    log: `${bench.directory}/${argv.includes("nginx") ? "nginx" : "acme-lb"}.log`,
  });
}
