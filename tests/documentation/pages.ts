/** The pages for operators: README.md, docs/*.md, and those that lie beside examples. */

const ROOT = new URL("../../", import.meta.url);

export interface Page {
  /** Below the checkout, such as `docs/design.md`. */
  file: string;
  text: string;
}

export async function readPages(): Promise<Page[]> {
  const names = await Array.fromAsync(Deno.readDir(new URL("docs/", ROOT)), ({ name }) => name);
  const files = names.filter((name) => name.endsWith(".md")).sort().map((name) => `docs/${name}`);
  return await Promise.all(
    ["README.md", ...files, "examples/monitoring/README.md"].map(async (file) => ({
      file,
      text: await Deno.readTextFile(new URL(file, ROOT)),
    })),
  );
}
