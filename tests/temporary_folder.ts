/** A new folder for one test, deleted at the end of its scope. */

export interface TemporaryFolder extends AsyncDisposable {
  /** Without links in it. */
  path: string;
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "acme-lb-test-" }));
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Runs the job with the path of such a folder. */
export async function inTemporaryFolder(job: (path: string) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  await job(folder.path);
}
