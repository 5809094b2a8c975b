/** Programs that post 5 MB to port 80 are told where to go, though nobody reads what they send. */

import assert from "node:assert/strict";
import { startLoopback } from "./loopback.ts";
import { lacking } from "./requirements.ts";

const JAVA = `import java.net.*; import java.net.http.*; import java.nio.file.*;
public class Post {
  public static void main(String[] args) throws Exception {
    var body = HttpRequest.BodyPublishers.ofFile(Path.of(args[1]));
    var request = HttpRequest.newBuilder(URI.create(args[0])).POST(body).build();
    var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    System.out.println(client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode());
    var old = (HttpURLConnection) new URL(args[0]).openConnection();
    old.setInstanceFollowRedirects(false);
    old.setDoOutput(true);
    Files.copy(Path.of(args[1]), old.getOutputStream());
    System.out.println(old.getResponseCode());
  }
}`;

const PYTHON = `import http.client, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
for encode in (False, True):
    connection = http.client.HTTPConnection(url.netloc)
    with open(sys.argv[2], "rb") as body:
        headers = {"Transfer-Encoding": "chunked"} if encode else {"Content-Length": "5000000"}
        connection.request("POST", url.path, body=body, headers=headers, encode_chunked=encode)
    print(connection.getresponse().status)`;

const NODE = `const body = require("fs").readFileSync(process.argv[2]);
fetch(process.argv[1], { method: "POST", body, redirect: "manual" }).then((r) => console.log(r.status));`;

/** The program, its arguments for a URL and a file, and the statuses it is to print. */
const PROGRAMS: [string, (url: string, file: string, directory: string) => string[], string[]][] = [
  [
    "curl",
    (
      url,
      file,
    ) => ["-sS", "-o", "/dev/null", "-w", "%{http_code}\n", "--data-binary", `@${file}`, url],
    ["308"],
  ],
  [
    "curl",
    (
      url,
      file,
    ) => ["-sS", "-o", "/dev/null", "-w", "%{http_code}\n", "-H", "Expect:", "-T", file, url],
    ["308"],
  ],
  ["python3", (url, file) => ["-c", PYTHON, url, file], ["308", "308"]],
  ["node", (url, file) => ["-e", NODE, url, file], ["308"]],
  ["java", (url, file, directory) => [`${directory}/Post.java`, url, file], ["308", "308"]],
  ["wget", (url, file) => ["-S", "-O", "/dev/null", "--max-redirect=0", "--post-file", file, url], [
    "308",
  ]],
];

for (const [i, [program, argsFor, statuses]] of PROGRAMS.entries()) {
  Deno.test({
    name: `serve tells ${program} (${i + 1}) where to go after a post of 5 MB`,
    ignore: lacking({ for: `posts of ${program}`, programs: [program] }),
    async fn() {
      await using server = await startLoopback();
      const { directory, port } = server;
      const file = `${directory}/body`;
      await Deno.writeFile(file, new Uint8Array(5_000_000));
      await Deno.writeTextFile(`${directory}/Post.java`, JAVA);
      const args = argsFor(`http://127.0.0.1:${port}/in`, file, directory);
      const { stdout, stderr } = await new Deno.Command(program, {
        args,
        stdin: "null",
        env: { no_proxy: "*" },
      }).output();
      const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      assert.deepEqual(text.match(/\b308\b(?= Permanent|$)/gm), statuses, text.slice(-1000));
    },
  });
}
