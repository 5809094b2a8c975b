/**
 * Requests as real programs send them to port 80.
 *
 * Those of captured_requests.txt, and of curl, Wget, Python, Node, Java, git and Chromium below,
 * were captured from the programs of Debian 12; the others follow what their documentation or
 * captures that others published show. A row with a reason is one that acme-lb refuses; the reason
 * says why.
 */

import { header, latin1 } from "./raw_client.ts";

export interface RealRequest {
  program: string;
  /** The whole head; a body follows where one is announced. */
  text: string;
  body: string;
  /** Why it is not redirected; undefined where it is. */
  refused?: string;
}

/** Requests of one program: each line of fields is sent as it stands. */
function of(program: string, requests: [line: string, ...fields: string[]][]): RealRequest[] {
  return requests.map(([line, ...fields]) => ({
    program,
    text: `${line}\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`,
    body: bodyOf(fields),
  }));
}

function bodyOf(fields: string[]): string {
  const length = fields.map((field) => /^content-length: *(\d+)$/i.exec(field)?.[1]).find(Boolean);
  if (length) return "x".repeat(Number(length));
  return fields.some((field) => /^transfer-encoding: *chunked$/i.test(field))
    ? "3\r\nabc\r\n0\r\n\r\n"
    : "";
}

/** A jar of so many bytes, as sites with consent banners, analytics and sign-on fill it. */
function cookies(bytes: number): string {
  const jar = [
    "_ga=GA1.2.1234567890.1700000000",
    "OptanonConsent=isGpcEnabled=0&datestamp=Tue+Nov",
  ];
  for (let i = 0; jar.join("; ").length < bytes; i++) {
    jar.push(`s${i}=eyJhbGciOiJIUzI1NiJ9.${"A1b2C3d4".repeat(24)}%3D`);
  }
  return jar.join("; ").slice(0, bytes);
}

const HOST = "Host: shop.example";

const CHROME = [
  HOST,
  "Connection: keep-alive",
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
  "Accept-Encoding: gzip, deflate",
  "Accept-Language: de-CH,de;q=0.9,en-US;q=0.8,en;q=0.7",
];
const FIREFOX = [
  HOST,
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8",
  "Accept-Language: fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3",
  "Accept-Encoding: gzip, deflate",
  "Connection: keep-alive",
  "Upgrade-Insecure-Requests: 1",
  "Priority: u=0, i",
];
const SAFARI = [
  HOST,
  "Upgrade-Insecure-Requests: 1",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
  "Accept-Language: en-GB,en;q=0.9",
  "Accept-Encoding: gzip, deflate",
  "Connection: keep-alive",
];
const OLD_BROWSER = [
  "Accept: text/html, application/xhtml+xml, */*",
  "Accept-Language: en-US",
  "User-Agent: Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
  "Accept-Encoding: gzip, deflate",
  HOST,
  "DNT: 1",
  "Connection: Keep-Alive",
];
const FORM = ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 27"];
const SAML = `/saml/acs?SAMLRequest=${"fZJNT8MwDIbv".repeat(650)}&RelayState=%2F`;

const BROWSERS = [
  ...of("Chromium", [
    ["GET / HTTP/1.1", ...CHROME],
    ["GET /page?a=b%20c&d[]=|^{}`%22%3C%3E HTTP/1.1", ...CHROME],
    ["GET /search?q=100%&filter[price][]=10|20 HTTP/1.1", ...CHROME],
    ["GET /open?file=C:\\docs\\a.txt HTTP/1.1", ...CHROME],
    [
      "GET /favicon.ico HTTP/1.1",
      ...CHROME.slice(0, 2),
      "Referer: http://shop.example/page?d[]=|^{}`",
    ],
    [`GET / HTTP/1.1`, ...CHROME, `Cookie: ${cookies(1_500)}`],
    [`GET /account HTTP/1.1`, ...CHROME, `Cookie: ${cookies(4_000)}`],
    [`GET /cart HTTP/1.1`, ...CHROME, "Cache-Control: max-age=0", `Cookie: ${cookies(7_500)}`],
    ["POST /login HTTP/1.1", ...CHROME, "Origin: http://shop.example", ...FORM],
    [
      "GET /video.mp4 HTTP/1.1",
      ...CHROME,
      "Range: bytes=0-",
      "Accept-Encoding: identity;q=1, *;q=0",
    ],
    ["GET / HTTP/1.1", ...CHROME, "Purpose: prefetch", "Sec-Purpose: prefetch;prerender"],
    [`GET ${SAML.slice(0, 7_500)} HTTP/1.1`, ...CHROME],
    [
      "GET /chat HTTP/1.1",
      HOST,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ],
    [
      "OPTIONS /api HTTP/1.1",
      ...CHROME,
      "Origin: http://a.example",
      "Access-Control-Request-Method: PUT",
      "Access-Control-Request-Headers: x-token",
    ],
  ]),
  ...of("Chromium on other names", [
    ["GET / HTTP/1.1", "Host: tenant_one.shop.example", ...CHROME.slice(1)],
    ["GET / HTTP/1.1", "Host: _preview.shop.example", ...CHROME.slice(1)],
    ["GET / HTTP/1.1", "Host: r3---sn-.shop.example", ...CHROME.slice(1)],
    ["GET / HTTP/1.1", "Host: xn--bcher-kva.example", ...CHROME.slice(1)],
    ["GET / HTTP/1.1", "Host: shop.example.", ...CHROME.slice(1)],
    ["GET / HTTP/1.1", "Host: 192.0.2.1", ...CHROME.slice(1)],
    ["GET / HTTP/1.1", "Host: [2001:db8::1]", ...CHROME.slice(1)],
    ["GET / HTTP/1.1", "Host: localhost:8080", ...CHROME.slice(1)],
    ["GET / HTTP/1.1", "Host: intranet", ...CHROME.slice(1)],
  ]),
  ...of("Firefox", [
    ["GET / HTTP/1.1", ...FIREFOX],
    ["GET /a'b(c)?q='x' HTTP/1.1", ...FIREFOX],
    ["GET /?q={%22a%22:[1,2]}|x HTTP/1.1", ...FIREFOX],
    [`GET /shop HTTP/1.1`, ...FIREFOX, `Cookie: ${cookies(6_000)}`],
    [
      "POST /upload HTTP/1.1",
      ...FIREFOX,
      "Content-Type: multipart/form-data; boundary=----geckoformboundary",
      "Content-Length: 5000",
    ],
    [
      "GET / HTTP/1.1",
      ...FIREFOX,
      "DNT: 1",
      "Sec-GPC: 1",
      "Pragma: no-cache",
      "Cache-Control: no-cache",
    ],
    [
      "GET /success.txt?ipv4 HTTP/1.1",
      "Host: detectportal.example",
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
      "Accept: */*",
      "Cache-Control: no-cache",
      "Connection: keep-alive",
    ],
  ]),
  ...of("Safari", [
    ["GET / HTTP/1.1", ...SAFARI],
    [
      "GET /apple-touch-icon-precomposed.png HTTP/1.1",
      HOST,
      "Accept: */*",
      "User-Agent: com.apple.WebKit.Networking/8619 CFNetwork/1568 Darwin/24.1.0",
      "Connection: keep-alive",
    ],
    [
      "GET /hotspot-detect.html HTTP/1.0",
      "Host: captive.example",
      "Connection: close",
      "User-Agent: CaptiveNetworkSupport-390 wispr",
    ],
    [`GET / HTTP/1.1`, ...SAFARI, `Cookie: ${cookies(3_000)}`],
    [
      "GET /.well-known/apple-app-site-association HTTP/1.1",
      HOST,
      "User-Agent: swcd (unknown version) CFNetwork/1568",
    ],
  ]),
  ...of("Internet Explorer 11, Edge's IE mode", [
    ["GET / HTTP/1.1", ...OLD_BROWSER],
    ['GET /find?name="M\xfcller"<1> HTTP/1.1', ...OLD_BROWSER],
    ["GET /pr\xc3\xa4sent HTTP/1.1", ...OLD_BROWSER],
  ]),
  ...of("text browsers", [
    [
      "GET / HTTP/1.0",
      HOST,
      "Accept: text/html, text/plain, */*;q=0.01",
      "User-Agent: Lynx/2.9.0dev.12 libwww-FM/2.14",
    ],
    [
      "GET / HTTP/1.0",
      "User-Agent: w3m/0.5.3+git20230121",
      "Accept: text/html, text/*;q=0.5, image/*",
      HOST,
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "User-Agent: ELinks/0.16.1.1 (textmode; Debian; Linux)",
      "Accept: */*",
      "Connection: Keep-Alive",
    ],
  ]),
];

const CURL = [HOST, "User-Agent: curl/7.88.1", "Accept: */*"];
const WGET = [
  HOST,
  "User-Agent: Wget/1.21.3",
  "Accept: */*",
  "Accept-Encoding: identity",
  "Connection: Keep-Alive",
];
const PYTHON = [HOST, "Accept-Encoding: identity"];
const REQUESTS = [
  HOST,
  "User-Agent: python-requests/2.34.2",
  "Accept-Encoding: gzip, deflate",
  "Accept: */*",
  "Connection: keep-alive",
];
const NODE = [
  "host: shop.example",
  "connection: keep-alive",
  "accept: */*",
  "accept-language: *",
  "sec-fetch-mode: cors",
  "user-agent: node",
  "accept-encoding: gzip, deflate",
];
const JAVA = [HOST, "User-Agent: Java-http-client/17.0.15"];
const OLD_JAVA = [
  "User-Agent: Java/17.0.15",
  HOST,
  "Accept: text/html, image/gif, image/jpeg, */*; q=0.2",
  "Connection: keep-alive",
];
const GO = [HOST, "User-Agent: Go-http-client/1.1"];

const PROGRAMS = [
  ...of("curl", [
    ["GET /a HTTP/1.1", ...CURL],
    ["HEAD /a HTTP/1.1", ...CURL],
    ["GET / HTTP/1.0", ...CURL],
    ["POST /form HTTP/1.1", ...CURL, ...FORM],
    ["PUT /put HTTP/1.1", ...CURL, "Content-Length: 12"],
    [
      "POST /big HTTP/1.1",
      ...CURL,
      "Content-Type: application/octet-stream",
      "Content-Length: 1100",
      "Expect: 100-continue",
    ],
    [
      "POST /chunk HTTP/1.1",
      ...CURL,
      "Transfer-Encoding: chunked",
      "Content-Type: application/x-www-form-urlencoded",
    ],
    [
      "GET /h2c HTTP/1.1",
      ...CURL,
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    ],
    ["GET /a?b[]=1&c={x}|y^z HTTP/1.1", ...CURL],
    ["OPTIONS * HTTP/1.1", ...CURL],
    ["GET http://shop.example/abs?x=1 HTTP/1.1", ...CURL, "Proxy-Connection: Keep-Alive"],
    ["DELETE /d HTTP/1.1", ...CURL],
    [
      "POST /json HTTP/1.1",
      HOST,
      "User-Agent: curl/7.88.1",
      "Content-Type: application/json",
      "Accept: application/json",
      "Content-Length: 7",
    ],
    ["GET /cond HTTP/1.1", ...CURL, "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT"],
    ["GET /range HTTP/1.1", ...CURL, "Range: bytes=0-99"],
    ["GET /../etc/passwd HTTP/1.1", ...CURL],
    [
      "GET /auth HTTP/1.1",
      HOST,
      "Authorization: Basic dXNlcjpwYXNz",
      "User-Agent: curl/7.88.1",
      "Accept: */*",
    ],
  ]),
  ...of("Wget", [
    ["GET /wget HTTP/1.1", ...WGET],
    ["HEAD /spider HTTP/1.1", ...WGET],
    [
      "POST /post HTTP/1.1",
      ...WGET,
      "Content-Type: application/x-www-form-urlencoded",
      "Content-Length: 3",
    ],
    [
      "PATCH /patch HTTP/1.1",
      ...WGET,
      "Content-Type: application/x-www-form-urlencoded",
      "Content-Length: 1",
    ],
    ["GET /nc HTTP/1.1", HOST, "Cache-Control: no-cache", "Pragma: no-cache", ...WGET.slice(1)],
    ["GET /b HTTP/1.1", HOST, "User-Agent: Wget", "Connection: close"],
  ]),
  ...of("Python", [
    ["GET /httpclient HTTP/1.1", ...PYTHON],
    ["POST /httpclient HTTP/1.1", ...PYTHON, "Content-Length: 10"],
    ["PUT /httpclient HTTP/1.1", ...PYTHON, "Content-Length: 1"],
    ["OPTIONS /httpclient HTTP/1.1", ...PYTHON],
    ["HEAD /httpclient HTTP/1.1", ...PYTHON],
    ["POST /gen HTTP/1.1", ...PYTHON, "Transfer-Encoding: chunked"],
    [
      "GET /urllib HTTP/1.1",
      "Accept-Encoding: identity",
      HOST,
      "User-Agent: Python-urllib/3.11",
      "Connection: close",
    ],
    ["GET /requests HTTP/1.1", ...REQUESTS],
    ["POST /requests HTTP/1.1", ...REQUESTS, "Content-Length: 8", "Content-Type: application/json"],
    [
      "GET /aiohttp HTTP/1.1",
      HOST,
      "Accept: */*",
      "Accept-Encoding: gzip, deflate",
      "User-Agent: Python/3.11 aiohttp/3.8.4",
    ],
  ]),
  ...of("Node", [
    ["GET /fetch HTTP/1.1", ...NODE],
    [
      "POST /fetch HTTP/1.1",
      ...NODE,
      "content-type: text/plain;charset=UTF-8",
      "content-length: 3",
    ],
    ["PUT /fetch HTTP/1.1", ...NODE, "transfer-encoding: chunked"],
    ["GET /node HTTP/1.1", HOST, "Connection: keep-alive"],
    ["PATCH /node HTTP/1.1", HOST, "Connection: keep-alive", "Transfer-Encoding: chunked"],
    [
      "GET /axios HTTP/1.1",
      "Accept: application/json, text/plain, */*",
      "User-Agent: axios/1.7.2",
      "Accept-Encoding: gzip, compress, deflate, br",
      HOST,
      "Connection: close",
    ],
  ]),
  ...of("Java", [
    [
      "GET /java HTTP/1.1",
      "Connection: Upgrade, HTTP2-Settings",
      "Content-Length: 0",
      HOST,
      "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
      "Upgrade: h2c",
      "User-Agent: Java-http-client/17.0.15",
    ],
    ["POST /java HTTP/1.1", "Content-Length: 3", ...JAVA],
    ["PUT /java HTTP/1.1", "Content-Length: 3", "Expect: 100-Continue", ...JAVA],
    ["GET /java HTTP/1.1", ...OLD_JAVA],
    [
      "POST /java HTTP/1.1",
      ...OLD_JAVA,
      "Content-type: application/x-www-form-urlencoded",
      "Content-Length: 1",
    ],
    [
      "GET /okhttp HTTP/1.1",
      HOST,
      "Connection: Keep-Alive",
      "Accept-Encoding: gzip",
      "User-Agent: okhttp/4.12.0",
    ],
    [
      "GET /apache HTTP/1.1",
      "Accept-Encoding: gzip, x-gzip, deflate",
      HOST,
      "Connection: keep-alive",
      "User-Agent: Apache-HttpClient/5.2.1 (Java/17.0.15)",
    ],
  ]),
  ...of("other languages", [
    ["GET /go HTTP/1.1", ...GO, "Accept-Encoding: gzip"],
    ["POST /go HTTP/1.1", ...GO, "Transfer-Encoding: chunked", "Accept-Encoding: gzip"],
    [
      "POST /dotnet HTTP/1.1",
      HOST,
      "Expect: 100-continue",
      "Content-Type: application/json; charset=utf-8",
      "Content-Length: 20",
    ],
    [
      "GET /ruby HTTP/1.1",
      "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
      "Accept: */*",
      "User-Agent: Ruby",
      HOST,
    ],
    [
      "GET /lwp HTTP/1.1",
      "TE: deflate,gzip;q=0.3",
      "Connection: TE, close",
      HOST,
      "User-Agent: libwww-perl/6.68",
    ],
    ["GET /php HTTP/1.1", HOST, "Connection: close"],
    [
      "POST /guzzle HTTP/1.1",
      HOST,
      "User-Agent: GuzzleHttp/7",
      "Content-Type: application/json",
      "Content-Length: 2",
    ],
    ["GET /reqwest HTTP/1.1", "accept: */*", "host: shop.example"],
    [
      "GET /deno HTTP/1.1",
      "accept: */*",
      "accept-language: *",
      "user-agent: Deno/2.9.6",
      "accept-encoding: gzip,br",
      "host: shop.example",
    ],
    [
      "GET /ps HTTP/1.1",
      "User-Agent: Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.22631; en-US) PowerShell/7.4.2",
      "Accept-Encoding: gzip, deflate, br",
      HOST,
    ],
  ]),
  ...of("git and package managers", [
    [
      "GET /repo.git/info/refs?service=git-upload-pack HTTP/1.1",
      HOST,
      "User-Agent: git/2.39.5",
      "Accept: */*",
      "Accept-Encoding: deflate, gzip, br, zstd",
      "Accept-Language: C, *;q=0.9",
      "Pragma: no-cache",
      "Git-Protocol: version=2",
    ],
    [
      "POST /repo.git/git-upload-pack HTTP/1.1",
      HOST,
      "User-Agent: git/2.39.5",
      "Accept-Encoding: deflate, gzip, br, zstd",
      "Content-Type: application/x-git-upload-pack-request",
      "Accept: application/x-git-upload-pack-result",
      "Git-Protocol: version=2",
      "Content-Length: 175",
    ],
    [
      "GET /debian/dists/bookworm/InRelease HTTP/1.1",
      HOST,
      "Cache-Control: max-age=0",
      "Accept: text/*",
      "User-Agent: Debian APT-HTTP/1.3 (2.6.1)",
    ],
    [
      "GET /npm/left-pad HTTP/1.1",
      "pacote-version: 17.0.6",
      "user-agent: npm/10.8.2 node/v20.19.2 linux x64 workspaces/false",
      "accept: application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*",
      HOST,
      "Connection: keep-alive",
    ],
    [
      "GET /simple/pip/ HTTP/1.1",
      HOST,
      'User-Agent: pip/23.0.1 {"ci":null,"cpu":"x86_64","distro":{"name":"Debian GNU/Linux"}}',
      "Accept-Encoding: gzip, deflate",
      "Accept: application/vnd.pypi.simple.v1+json",
      "Connection: keep-alive",
    ],
    [
      "GET /v2/ HTTP/1.1",
      HOST,
      "User-Agent: docker/24.0.7 go/go1.20.10 git-commit/311b9ff kernel/6.1.0 os/linux arch/amd64",
      "Accept-Encoding: gzip",
      "Connection: close",
    ],
  ]),
];

const DAV = [
  HOST,
  "User-Agent: gvfs/1.50.3",
  "Accept-Language: en-us, en;q=0.9",
  "Connection: Keep-Alive",
];
const XML = ["Content-Type: application/xml", "Content-Length: 94"];

const WEBDAV = of("WebDAV, CalDAV and CardDAV clients", [
  ["OPTIONS /dav/ HTTP/1.1", ...DAV],
  ["PROPFIND /dav/ HTTP/1.1", ...DAV, "Depth: 1", ...XML],
  [
    "PROPFIND /.well-known/caldav HTTP/1.1",
    HOST,
    "Depth: 0",
    "Content-Type: text/xml; charset=utf-8",
    "User-Agent: macOS/15.1 (24B83) dataaccessd/1.0",
    "Content-Length: 181",
  ],
  [
    "PROPFIND /.well-known/carddav HTTP/1.1",
    HOST,
    "Depth: 0",
    "User-Agent: DAVx5/4.4.3-ose (dav4jvm; okhttp/4.12.0) Android/14",
    ...XML,
  ],
  ["REPORT /cal/user/ HTTP/1.1", ...DAV, "Depth: 1", ...XML],
  ["PROPPATCH /dav/a HTTP/1.1", ...DAV, ...XML],
  ["MKCOL /dav/new HTTP/1.1", ...DAV, "Content-Length: 0"],
  ["MKCALENDAR /cal/new HTTP/1.1", ...DAV, ...XML],
  [
    "LOCK /dav/a.docx HTTP/1.1",
    HOST,
    "User-Agent: Microsoft-WebDAV-MiniRedir/10.0.22631",
    "Timeout: Second-3600",
    "translate: f",
    "Connection: Keep-Alive",
    ...XML,
  ],
  [
    "UNLOCK /dav/a.docx HTTP/1.1",
    HOST,
    "Lock-Token: <opaquelocktoken:a>",
    "Connection: Keep-Alive",
    "Content-Length: 0",
  ],
  ["COPY /dav/a HTTP/1.1", ...DAV, "Destination: http://shop.example/dav/b", "Overwrite: F"],
  ["MOVE /dav/a HTTP/1.1", ...DAV, "Destination: http://shop.example/dav/b"],
  ["SEARCH /dav/ HTTP/1.1", ...DAV, ...XML],
  ["PUT /dav/a.txt HTTP/1.1", ...DAV, "Expect: 100-continue", "Content-Length: 12"],
  [
    "GET /remote.php/dav/files/a HTTP/1.1",
    HOST,
    "User-Agent: Mozilla/5.0 (Linux) mirall/3.7.3 (Nextcloud, debian-6.1.0)",
    "Accept: */*",
    "X-Request-ID: 4f1d2a",
    "Connection: Keep-Alive",
  ],
  [
    "BASELINE-CONTROL /svn HTTP/1.1",
    HOST,
    "User-Agent: SVN/1.14.2 (x86_64-pc-linux-gnu) serf/1.3.9",
    "Content-Length: 0",
  ],
]);

const PROBES = [
  ...of("probes of balancers and monitoring", [
    ["OPTIONS / HTTP/1.0"],
    ["GET / HTTP/1.0"],
    ["HEAD / HTTP/1.0"],
    ["OPTIONS * HTTP/1.1", "Host: www"],
    ["GET / HTTP/1.0", "User-Agent: KeepAliveClient", "Host: 192.0.2.11:80"],
    [
      "GET / HTTP/1.0",
      "User-Agent: check_http/v2.3.3 (monitoring-plugins 2.3.3)",
      "Connection: close",
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "User-Agent: check_http/v2.3.3 (monitoring-plugins 2.3.3)",
      "Connection: close",
    ],
    [
      "GET / HTTP/1.1",
      "Host: 192.0.2.11",
      "Connection: close",
      "User-Agent: ELB-HealthChecker/2.0",
      "Accept-Encoding: gzip, compressed",
    ],
    ["GET / HTTP/1.1", "Host: 192.0.2.11", "User-Agent: GoogleHC/1.0", "Connection: Keep-alive"],
    ["GET / HTTP/1.1", "Connection: Close", "User-Agent: Load Balancer Agent", "Host: 192.0.2.11"],
    [
      "GET /healthz HTTP/1.1",
      "Host: 192.0.2.11:80",
      "User-Agent: kube-probe/1.30",
      "Accept: */*",
      "Connection: close",
    ],
    ["GET / HTTP/1.1", HOST, "User-Agent: Blackbox Exporter/0.25.0", "Accept-Encoding: gzip"],
    [
      "HEAD / HTTP/1.1",
      "User-Agent: Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
      HOST,
      "Connection: close",
      "Cache-Control: no-cache",
    ],
    ["GET / HTTP/1.1", HOST, "User-Agent: Zabbix", "Accept: */*"],
    [
      "GET / HTTP/1.1",
      HOST,
      "User-Agent: Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
      "Connection: close",
    ],
    ["GET / HTTP/1.0", HOST, "User-Agent: ApacheBench/2.3", "Accept: */*"],
    [
      "GET / HTTP/1.0",
      HOST,
      "Connection: Keep-Alive",
      "User-Agent: ApacheBench/2.3",
      "Accept: */*",
    ],
    ["GET / HTTP/1.1", "Host: [2001:db8::1]:80"],
  ]),
  ...of("crawlers and scanners", [
    [
      "GET /robots.txt HTTP/1.1",
      HOST,
      "Connection: keep-alive",
      "Accept: text/plain,text/html,*/*",
      "User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
      "Accept-Encoding: gzip, deflate, br",
    ],
    [
      "GET /robots.txt HTTP/1.1",
      "Cache-Control: no-cache",
      "Connection: Keep-Alive",
      "Pragma: no-cache",
      "Accept: */*",
      "From: bingbot(at)microsoft.com",
      HOST,
      "User-Agent: Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    ],
    [
      "GET / HTTP/1.1",
      "User-Agent: facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
      "Accept: */*",
      "Accept-Encoding: deflate, gzip",
      HOST,
      "Range: bytes=0-524287",
      "Connection: close",
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "User-Agent: Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
      "Accept: */*",
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "User-Agent: Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
      "Accept-Encoding: deflate, gzip, br",
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "User-Agent: CCBot/2.0 (https://commoncrawl.org/faq/)",
      "Accept-Language: en-US,en;q=0.5",
      "Accept-Encoding: br,gzip",
      "Connection: Keep-Alive",
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "User-Agent: Mozilla/5.0 zgrab/0.x",
      "Accept: */*",
      "Accept-Encoding: gzip",
    ],
    [
      "GET /ads.txt HTTP/1.1",
      HOST,
      "User-Agent: Mozilla/5.0 (compatible; AdsTxtCrawler/1.0; +https://github.com/InteractiveAdvertisingBureau/adstxtcrawler)",
      "Accept: text/plain",
    ],
    ["GET /.env HTTP/1.1", HOST, "User-Agent: python-requests/2.32.3", "Accept: */*"],
    ["POST /cgi-bin/.%2e/.%2e/bin/sh HTTP/1.1", HOST, "Content-Length: 5"],
    ["QUERY /search HTTP/1.1", HOST, "Content-Type: text/plain", "Content-Length: 4"],
    ["PURGE /cached HTTP/1.1", HOST, "User-Agent: varnishadm", "Accept: */*"],
  ]),
];

const MORE = [
  ...of("Edge, Opera, Samsung Internet", [
    [
      "GET /shop/ HTTP/1.1",
      HOST,
      "Connection: keep-alive",
      "Pragma: no-cache",
      "Cache-Control: no-cache",
      "DNT: 1",
      "Upgrade-Insecure-Requests: 1",
      "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36 Edg/144.0.0.0",
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
      "Accept-Encoding: gzip, deflate",
      "Accept-Language: de,de-DE;q=0.9,en;q=0.8,en-GB;q=0.7,en-US;q=0.6",
      "Cookie: ASP.NET_SessionId=pxuqso4yu5rjd30vxy3cwfy0; .ASPXAUTH=0123456789ABCDEF; country=CH; theme={%22dark%22:true}",
      'If-None-Match: W/"5e8-18f"',
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "Connection: keep-alive",
      "Cache-Control: max-age=0",
      'sec-ch-ua: "Not A(Brand";v="99", "Opera GX";v="107", "Chromium";v="121"',
      "sec-ch-ua-mobile: ?0",
      'sec-ch-ua-platform: "Windows"',
      "Upgrade-Insecure-Requests: 1",
      "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36 OPR/107.0.0.0",
      "Sec-Fetch-Site: none",
      "Sec-Fetch-Mode: navigate",
      "Sec-Fetch-User: ?1",
      "Sec-Fetch-Dest: document",
      "Accept-Encoding: gzip, deflate, br",
      `Cookie: ${cookies(11_000)}`,
    ],
    [
      "GET /live HTTP/1.1",
      HOST,
      "Connection: Upgrade",
      "Pragma: no-cache",
      "Cache-Control: no-cache",
      "User-Agent: Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
      "Upgrade: websocket",
      "Origin: http://shop.example",
      "Sec-WebSocket-Version: 13",
      "Accept-Encoding: gzip, deflate",
      "Cookie: csrftoken=1Mui9kkdtVnqCgkolj9L; _xsrf=2|239c7e35|4244b8edf3f99ad3|1658684105",
      "Sec-WebSocket-Key: mqCIzcnwN8/nJ/ldblBEdw==",
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ],
  ]),
  ...of("readers of RSS and Atom", [
    [
      "GET /feed HTTP/1.1",
      HOST,
      "User-Agent: FreshRSS/1.26.1 (Linux; https://freshrss.org)",
      "Accept: application/atom+xml, application/rss+xml, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, text/html;q=0.7, unknown/unknown;q=0.1, application/unknown;q=0.1, */*;q=0.1",
      "Referer: http://shop.example/feed",
      'If-None-Match: "67c5e9d1-1f2a"',
      "If-Modified-Since: Mon, 03 Mar 2025 17:40:33 GMT",
      "Accept-Encoding: deflate, gzip, br, zstd",
    ],
    [
      "GET /feed.xml HTTP/1.1",
      HOST,
      "User-Agent: Feed Wrangler/1.0 (1 subscriber; feed-id=394524; http://feedwrangler.net; Allow like Gecko)",
      "Accept: */*",
      "Connection: close",
    ],
    [
      "GET /rss HTTP/1.1",
      HOST,
      "User-Agent: feedparser/6.0.11 +https://github.com/kurtmckee/feedparser/",
      "Accept-Encoding: gzip, deflate",
      "Accept: application/atom+xml,application/rdf+xml,application/rss+xml,application/x-netcdf,application/xml;q=0.9,text/xml;q=0.2,*/*;q=0.1",
      "A-IM: feed",
      "Connection: keep-alive",
    ],
    [
      "GET /rss HTTP/1.1",
      HOST,
      "User-Agent: Feedly/1.0 (+http://www.feedly.com/fetcher.html; 12 subscribers; like FeedFetcher-Google)",
      "Connection: keep-alive",
      "Accept-Encoding: gzip",
      'If-None-Match: "b0a7-62f3c"',
    ],
  ]),
  ...of("more crawlers and previews", [
    [
      "GET /robots.txt HTTP/1.1",
      HOST,
      "Connection: Keep-Alive",
      "Accept: */*",
      "Accept-Encoding: gzip,deflate",
      "Accept-Language: ru, uk;q=0.8, be;q=0.8, en;q=0.7, *;q=0.01",
      "From: support@search.yandex.ru",
      "User-Agent: Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "Connection: close",
      "User-Agent: Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
      "Accept-Encoding: gzip",
      "Accept-Language: zh-cn,zh-tw",
      "Accept: */*",
    ],
    [
      "GET / HTTP/1.1",
      HOST,
      "User-Agent: Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
      "Accept: */*",
      "Accept-Encoding: gzip,deflate",
      "Range: bytes=0-32768",
      "Connection: close",
    ],
    [
      "GET /post HTTP/1.1",
      HOST,
      "User-Agent: Twitterbot/1.0",
      "Accept: */*",
      "Accept-Encoding: gzip, deflate",
    ],
    [
      "GET /post HTTP/1.1",
      HOST,
      "User-Agent: LinkedInBot/1.0 (compatible; Mozilla/5.0; Jakarta Commons-HttpClient/3.1 +http://www.linkedin.com)",
      "Accept: */*",
      "Connection: Keep-Alive",
    ],
    [
      "POST /inbox HTTP/1.1",
      HOST,
      "User-Agent: http.rb/5.1.1 (Mastodon/4.3.0; +https://social.example/)",
      "Date: Tue, 25 Nov 2025 10:00:00 GMT",
      "Accept-Encoding: gzip",
      "Digest: SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
      "Content-Type: application/activity+json",
      'Signature: keyId="https://social.example/actor#main-key",algorithm="rsa-sha256",headers="(request-target) host date digest content-type",signature="c2ln"',
      "Connection: Keep-Alive",
      "Content-Length: 310",
    ],
  ]),
  ...of("more health checks", [
    [
      "GET / HTTP/1.1",
      "Host: 192.0.2.11:80",
      "Connection: close",
      "User-Agent: Amazon-Route53-Health-Check-Service (ref 28e27f8c-0000-0000-0000-000000000000; report http://amzn.to/1vsZADi)",
      "Accept: */*",
      "Accept-Encoding: *",
    ],
    [
      "HEAD / HTTP/1.1",
      HOST,
      "User-Agent: Mozilla/5.0 (compatible; Cloudflare-Healthchecks/1.0; +https://www.cloudflare.com/; healthcheck-id: 4a5b)",
      "Connection: close",
      "Accept-Encoding: gzip",
    ],
    [
      "GET / HTTP/1.1",
      "Host: 192.0.2.11",
      "User-Agent: Consul Health Check",
      "Accept: text/plain, text/*, */*",
      "Accept-Encoding: gzip",
      "Connection: close",
    ],
    [
      "GET /health HTTP/1.1",
      "Host: 192.0.2.11",
      "User-Agent: Envoy/HC",
      "x-envoy-expected-rq-timeout-ms: 1000",
    ],
    [
      "GET /metrics HTTP/1.1",
      "Host: 192.0.2.11:80",
      "User-Agent: Prometheus/2.42.0+ds",
      "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      "Accept-Encoding: gzip",
      "X-Prometheus-Scrape-Timeout-Seconds: 10",
    ],
    [
      "HEAD / HTTP/1.1",
      HOST,
      "User-Agent: Uptime-Kuma/1.23.13",
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,image/apng,*/*;q=0.8",
      "Connection: close",
    ],
  ]),
];

const FRONT = ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: http", "Via: 1.1 varnish"];

const THROUGH_OTHERS = of("proxies in front", [
  ["GET / HTTP/1.0", HOST, "Connection: close"],
  ["GET / HTTP/1.1", "host: shop.example", "x-forwarded-for: 198.51.100.7", "accept: */*"],
  ["GET / HTTP/1.1", HOST, ...FRONT, "Cache-Control: max-age=259200", "Connection: keep-alive"],
  ["GET / HTTP/1.1", HOST, "X-Amzn-Trace-Id: Root=1-67-89", "X-Forwarded-Port: 80", ...FRONT],
  [
    "GET / HTTP/1.1",
    HOST,
    "CF-RAY: 8c1d2e3f4a5b6c7d-ZRH",
    'CF-Visitor: {"scheme":"http"}',
    "CF-Connecting-IP: 198.51.100.7",
    "CDN-Loop: cloudflare; loops=1",
    "Connection: Keep-Alive",
  ],
  ["GET / HTTP/1.1", HOST, "Forwarded: for=198.51.100.7;proto=http;by=203.0.113.43"],
  ["GET / HTTP/1.1", HOST, ...Array.from({ length: 95 }, (_, i) => `X-Edge-${i}: ${i}`)],
  ["GET http://shop.example HTTP/1.1", HOST],
  ["GET http://shop.example/a?b HTTP/1.0", "User-Agent: Squid"],
]);

/** Rows that nginx or HAProxy or both would redirect, and acme-lb does not. */
const REFUSED: RealRequest[] = [
  {
    program: "a smuggling scanner",
    text: `POST / HTTP/1.1\r\n${HOST}\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n`,
    body: "xxxxx",
    refused: "repeated lengths are read differently by different parsers, also when they agree",
  },
  {
    program: "printf | nc",
    text: `GET / HTTP/1.1\n${HOST}\n\n`,
    body: "",
    refused: "lines that end in LF alone are read differently by different parsers",
  },
  {
    program: "an old form of probes",
    text: `GET / HTTP/1.1\r\n\r\n`,
    body: "",
    refused: "HTTP/1.1 without a Host (RFC 9112 section 3.2)",
  },
  {
    program: "a library that folds lines",
    text: `GET / HTTP/1.1\r\n${HOST}\r\nCookie: a=b;\r\n c=d\r\n\r\n`,
    body: "",
    refused: "folded lines are obsolete (RFC 9112 section 5.2) and a way of smuggling",
  },
  {
    program: "TRACE of a scanner",
    text: `TRACE / HTTP/1.1\r\n${HOST}\r\n\r\n`,
    body: "",
    refused: "TRACE asks for its own fields back, cookies among them, wherever it is led to",
  },
];

/** A paragraph is a request: `#` and the program, then the lines of the head. */
const CAPTURED = (await Deno.readTextFile(new URL("captured_requests.txt", import.meta.url)))
  .trim().split("\n\n").flatMap((paragraph) => {
    const [program, line, ...fields] = paragraph.split("\n");
    return of(program!.replace("# ", ""), [[line!, ...fields]]);
  });

export const REAL_REQUESTS: RealRequest[] = [
  ...CAPTURED,
  ...BROWSERS,
  ...PROGRAMS,
  ...WEBDAV,
  ...PROBES,
  ...MORE,
  ...THROUGH_OTHERS,
  ...REFUSED,
];

/** Sends the request and reads the head of the answer; status 0 when the connection just ended. */
export async function firstAnswer(
  port: number,
  { text, body }: Pick<RealRequest, "text" | "body">,
): Promise<{ status: number; location: string }> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const bytes = latin1(text + body);
  // A server may refuse and close before all is sent.
  try {
    for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
  } catch (error) {
    if (
      !(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)
    ) {
      throw error;
    }
  }
  const buffer = new Uint8Array(65536);
  let received = "";
  while (!received.includes("\r\n\r\n")) {
    const count = await conn.read(buffer).catch(() => null);
    if (count === null) break;
    received += String.fromCharCode(...buffer.subarray(0, count));
    // Another server may ask for the body before it redirects.
    received = received.replace(/^HTTP\/1\.1 100 [^]*?\r\n\r\n/, "");
  }
  const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(received)?.[1] ?? 0);
  return { status, location: header(received, "location") ?? "" };
}
