/** Debian's Chromium without a window, driven by its DevTools protocol as far as tests need it. */

import { type Daemon, eventually, startDaemon, tail } from "./daemon.ts";

export interface Chromium extends AsyncDisposable {
  /** Opens the page and waits for its `load` event. */
  open(url: string, view?: View): Promise<Page>;
  setCookies(cookies: Cookie[]): Promise<void>;
}

export interface View {
  /** In CSS pixels. @default 1280 × 800 */
  width?: number;
  height?: number;
  /** What `prefers-color-scheme` says. @default light */
  scheme?: "light" | "dark";
}

export interface Cookie {
  name: string;
  value: string;
  /** Sent only to this name; with a leading dot, also to names below it. */
  domain: string;
}

export interface Page {
  /** Those that the document and all that it loads met, in their order. */
  redirects: { status: number; to: string }[];
  /** Errors on the console so far: of scripts, of the content security policy, of fetches. */
  errors: string[];
  /** The value of an expression, by way of JSON; a promise is awaited. Throws what it throws. */
  evaluate<T>(expression: string): Promise<T>;
  /** PNG: what the view shows, or the page from top to bottom. */
  screenshot(options?: { whole?: boolean }): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

interface Options {
  /** A folder for the browser's profile and log. */
  directory: string;
  /** `NAME ADDRESS` or `NAME:PORT ADDRESS:PORT`; other names than these are not found. */
  hosts?: string[];
}

export async function startChromium({ directory, hosts = [] }: Options): Promise<Chromium> {
  const profile = `${directory}/chromium`;
  await Deno.mkdir(profile);
  const rules = [...hosts.map((host) => `MAP ${host}`), "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"];
  const daemon = await startDaemon([
    ...["chromium", "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
    // Its sandbox refuses root.
    ...Deno.uid() === 0 ? ["--no-sandbox"] : [],
    // No network requests of the browser itself, and no upgrade of http to https.
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ...["--disable-quic", "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable"],
    // The certificates of tests are signed by nobody.
    ...["--ignore-certificate-errors", `--host-resolver-rules=${rules.join(",")}`],
    ...[`--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"],
  ], { log: `${directory}/chromium.log`, env: { HOME: profile } });
  try {
    const devTools = await DevTools.connect(await socketOf(daemon, profile));
    return {
      open: (url, view = {}) => openPage(devTools, url, view),
      setCookies: async (cookies) =>
        void await devTools.call("Storage.setCookies", {
          cookies: cookies.map((cookie) => ({ path: "/", ...cookie })),
        }),
      async [Symbol.asyncDispose]() {
        await devTools.call("Browser.close").catch(() => {});
        devTools.close();
        await daemon.stop();
        // Its helper processes end a moment later, and write into the profile until then.
        await eventually(
          () => Deno.remove(profile, { recursive: true }).then(() => true, () => undefined),
          { what: () => `the end of what writes into ${profile}`, deadline: PATIENCE_MS },
        );
      },
    };
  } catch (error) {
    await daemon.stop();
    throw error;
  }
}

/** Chromium writes the port that it chose, and a path, into its profile. */
async function socketOf(daemon: Daemon, profile: string): Promise<string> {
  let ended = false;
  daemon.status.then(() => ended = true);
  const [port, path] = await eventually(async () => {
    if (ended) throw new Error(`Chromium ended\n${await tail(daemon.log)}`);
    const text = await Deno.readTextFile(`${profile}/DevToolsActivePort`).catch(() => "");
    const lines = text.split("\n");
    return lines.length >= 2 ? lines : undefined;
  }, { what: () => `Chromium's port; see ${daemon.log}`, deadline: PATIENCE_MS });
  return `ws://127.0.0.1:${port}${path}`;
}

/** A browser that starts beside other tests takes its time. */
const PATIENCE_MS = 120_000;

// deno-lint-ignore no-explicit-any -- each method has a result of another shape
type Result = any;

interface Message {
  id?: number;
  method?: string;
  params?: Result;
  result?: Result;
  error?: { message: string };
  sessionId?: string;
}

/** Calls and events on one WebSocket (https://chromedevtools.github.io/devtools-protocol/). */
class DevTools {
  #socket: WebSocket;
  #last = 0;
  #calls = new Map<number, PromiseWithResolvers<Result>>();
  /** Takes the events of a session. */
  readonly listeners = new Map<string, (method: string, params: Result) => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = () => {
      for (const { reject } of this.#calls.values()) reject(new Error("Chromium hung up"));
      this.#calls.clear();
    };
  }

  static async connect(url: string): Promise<DevTools> {
    const socket = new WebSocket(url);
    const opened = Promise.withResolvers<void>();
    socket.onopen = () => opened.resolve();
    socket.onerror = (event) =>
      opened.reject(new Error(`${url}: ${(event as ErrorEvent).message}`));
    await opened.promise;
    return new DevTools(socket);
  }

  async call(method: string, params: object = {}, sessionId?: string): Promise<Result> {
    const id = ++this.#last;
    const call = Promise.withResolvers<Result>();
    this.#calls.set(id, call);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return await inTime(call.promise, method);
  }

  close(): void {
    this.#socket.close();
  }

  #receive({ id, method, params, result, error, sessionId }: Message): void {
    if (id === undefined) return this.listeners.get(sessionId ?? "")?.(method!, params);
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result);
  }
}

async function inTime<T>(work: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const reject = () => late.reject(new Error(`Chromium took too long: ${what}`));
  const timer = setTimeout(reject, PATIENCE_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function openPage(devTools: DevTools, url: string, view: View): Promise<Page> {
  const { width = 1280, height = 800, scheme = "light" } = view;
  const { targetId } = await devTools.call("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await devTools.call("Target.attachToTarget", { targetId, flatten: true });
  const call = (method: string, params?: object) => devTools.call(method, params, sessionId);
  const loaded = Promise.withResolvers<void>();
  const redirects: Page["redirects"] = [];
  const errors: string[] = [];
  devTools.listeners.set(sessionId, (method, params) => {
    if (method === "Page.loadEventFired") loaded.resolve();
    if (method === "Network.requestWillBeSent" && params.redirectResponse) {
      redirects.push({ status: params.redirectResponse.status, to: params.request.url });
    }
    const error = errorIn(method, params);
    if (error !== undefined) errors.push(error);
  });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await call(`${domain}.enable`);
  await call("Emulation.setDeviceMetricsOverride", {
    ...{ width, height, deviceScaleFactor: 1, mobile: false },
  });
  await call("Emulation.setEmulatedMedia", {
    features: [{ name: "prefers-color-scheme", value: scheme }],
  });
  const { errorText } = await call("Page.navigate", { url });
  if (errorText) throw new Error(`${url}: ${errorText}`);
  await inTime(loaded.promise, url);
  return {
    redirects,
    errors,
    async evaluate(expression) {
      const { result, exceptionDetails } = await call("Runtime.evaluate", {
        ...{ expression, awaitPromise: true, returnByValue: true },
      });
      if (exceptionDetails) throw new Error(exceptionText(exceptionDetails));
      return result.value;
    },
    async screenshot({ whole = false } = {}) {
      const { cssContentSize } = await call("Page.getLayoutMetrics");
      const { data } = await call("Page.captureScreenshot", {
        format: "png",
        ...whole && { captureBeyondViewport: true, clip: { ...cssContentSize, scale: 1 } },
      });
      return Uint8Array.fromBase64(data);
    },
    async close() {
      await devTools.call("Target.closeTarget", { targetId });
      devTools.listeners.delete(sessionId);
    },
  };
}

/** The text of an error that an event tells, or undefined. */
function errorIn(method: string, params: Result): string | undefined {
  if (method === "Runtime.exceptionThrown") return exceptionText(params.exceptionDetails);
  if (method === "Log.entryAdded" && params.entry.level === "error") {
    return `${params.entry.text} ${params.entry.url ?? ""}`.trim();
  }
  if (method === "Runtime.consoleAPICalled" && params.type === "error") {
    return params.args.map((arg: Result) => arg.value ?? arg.description).join(" ");
  }
  return undefined;
}

function exceptionText({ text, exception }: Result): string {
  return exception?.description ?? text;
}
