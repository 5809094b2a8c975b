/**
 * The source document's nginx on one host of the network: examples/nginx-migration/nginx.conf as
 * it stands. What it names is mounted under it: the host's webroot, and a directory for its logs.
 */

import { type Daemon, eventually, startDaemon, tail } from "./daemon.ts";
import { fetchOn } from "./fetch_on.ts";
import { type Host, type Network } from "./network.ts";

const CONFIG = new URL("../../examples/nginx-migration/nginx.conf", import.meta.url).pathname;

/** Its directory for temporary files is given to its user at the start: not this machine's own. */
const MOUNTS = 'mkdir -p /run/acme/acme-challenge && mount --bind "$1" /run/acme/acme-challenge ' +
  '&& mount --bind "$2" /var/log/nginx && mount -t tmpfs tmpfs /var/lib/nginx && shift 2 ' +
  '&& exec "$@"';

export interface Nginx extends Daemon {
  /** Tokens that it told this client with 200. */
  told(client: string): Promise<string[]>;
}

/** Starts it with a webroot of the host, as the host sees it, and waits until it answers. */
export async function startNginx(
  network: Network,
  { host, webroot }: { host: Host; webroot: string },
): Promise<Nginx> {
  const logs = `${network.directory}/${host.name}/nginx`;
  await Deno.mkdir(logs, { recursive: true });
  const daemon = await startDaemon(
    network.on(host, [
      ...["sh", "-c", MOUNTS, "sh", webroot, logs],
      ...["nginx", "-e", "stderr", "-g", "daemon off;", "-c", CONFIG],
    ]),
    { log: `${network.directory}/${host.name}.log` },
  );
  try {
    const url = `http://[${host.ipv6}]/`;
    await eventually(async () => {
      const { status } = await fetchOn(host, { network, url, deadline: 2_000 });
      return status === 301 || undefined;
    }, { what: () => "nginx's redirect", deadline: 120_000 });
  } catch (error) {
    await daemon.stop();
    throw new Error(await tail(daemon.log), { cause: error });
  }
  return {
    ...daemon,
    async told(client) {
      const text = await Deno.readTextFile(`${logs}/access.log`);
      return text.split("\n").filter((line) => line.startsWith(`${client} `))
        .flatMap((line) => /acme-challenge\/([\w-]+) HTTP\/1\.\d" 200 /.exec(line)?.[1] ?? []);
    },
  };
}
