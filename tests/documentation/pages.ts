/** The pages for operators: README.md and docs/*.md. */

const ROOT = new URL("../../", import.meta.url);

export interface Page {
  /** Below the checkout, such as `docs/design.md`. */
  file: string;
  text: string;
}

export async function readPages(): Promise<Page[]> {
  const names = await Array.fromAsync(Deno.readDir(new URL("docs/", ROOT)), ({ name }) => name);
  const files = names.filter((name) => name.endsWith(".md")).sort().map((name) => `docs/${name}`);
  return await Promise.all(["README.md", ...files].map(async (file) => ({
    file,
    text: await Deno.readTextFile(new URL(file, ROOT)),
  })));
}
