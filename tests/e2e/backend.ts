/** A backend of the service: nginx with TLS and a certificate of the backends' own CA. */

import { issue, type Issued } from "../cert/issue.ts";
import { type Daemon, eventually, startDaemon, tail } from "./daemon.ts";
import type { Host, Network } from "./network.ts";

/** Starts it on port 443 of the host; it answers everything with the host's name. */
export async function startBackend(
  network: Network,
  { host, ca }: { host: Host; ca: Issued },
): Promise<Daemon> {
  const folder = `${network.directory}/${host.name}/backend`;
  await Deno.mkdir(folder, { recursive: true });
  // HAProxy looks for the name that it sends, the first of cluster.names.
  const names = [`${host.name}.internal`, "service.example"];
  const { key, pem } = await issue({ names, issuer: ca });
  await Deno.writeTextFile(`${folder}/backend.pem`, key.pem + pem, { mode: 0o600 });
  await Deno.writeTextFile(`${folder}/nginx.conf`, configuration(host.name, folder));
  const daemon = await startDaemon(
    network.on(host, ["nginx", "-e", "stderr", "-g", "daemon off;", "-c", `${folder}/nginx.conf`]),
    { log: `${network.directory}/${host.name}.log` },
  );
  try {
    await eventually(async () => {
      const { code } = await network.run(host, [
        ...["curl", "-fsk", "--max-time", "2", "--globoff", `https://[${host.ipv6}]/status`],
      ]);
      return code === 0 || undefined;
    }, { what: () => `the backend ${host.name}`, deadline: 120_000 });
  } catch (error) {
    await daemon.stop();
    throw new Error(await tail(daemon.log), { cause: error });
  }
  return daemon;
}

function configuration(name: string, folder: string): string {
  return `pid ${folder}/pid;
worker_processes 1;
user root;
events {}
http {
  access_log off;
${
    ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((use) =>
      `  ${use}_temp_path ${folder};\n`
    ).join("")
  }  server {
    listen [::]:443 ssl;
    listen 443 ssl;
    ssl_certificate ${folder}/backend.pem;
    ssl_certificate_key ${folder}/backend.pem;
    location / { return 200 ${name}; }
  }
}
`;
}
