/**
 * The commands of a Markdown page: of its ```sh blocks, and of the code spans that name acme-lb.
 *
 * A block is a transcript when a line of it begins with a prompt, `lb0# ` or `you$ `: then the
 * prompt says where a command is run, and what follows it is what it prints (`…` stands for any
 * text, alone on a line for any lines). In any other block each line is a command. Lines that end
 * in a backslash go on in the next; those that begin with `#` are comments.
 */

export interface Step {
  file: string;
  /** Of the command's first line, from 1. */
  line: number;
  /** Line of the block's fence: commands of one block belong together. */
  block: number;
  /** From the prompt. */
  host?: string;
  command: string;
  /** Lines it prints, when the page shows any. */
  expected: string[];
}

const PROMPT = /^(you|lb\d)[$#] (.*)$/;

/** The steps of all ```sh blocks, in order. */
export function stepsOf(file: string, markdown: string): Step[] {
  const lines = markdown.split("\n");
  const steps: Step[] = [];
  for (let i = 0; i < lines.length; i++) {
    const indent = /^( *)```sh\b/.exec(lines[i]!)?.[1];
    if (indent === undefined) continue;
    const block = i + 1;
    const end = lines.indexOf(`${indent}\`\`\``, block);
    if (end < 0) throw new SyntaxError(`${file}:${block}: a block without an end`);
    const content = lines.slice(block, end).map((line) => line.slice(indent.length));
    steps.push(...stepsOfBlock(content, { file, block }));
    i = end;
  }
  return steps;
}

function stepsOfBlock(lines: string[], at: { file: string; block: number }): Step[] {
  const transcript = lines.some((line) => PROMPT.test(line));
  const steps: Step[] = [];
  for (let i = 0; i < lines.length; i++) {
    const [, host, typed = lines[i]!] = PROMPT.exec(lines[i]!) ?? [];
    const line = at.block + 1 + i;
    if (transcript && host === undefined) {
      const step = steps.at(-1);
      if (!step) throw new SyntaxError(`${at.file}:${line}: output before any prompt`);
      step.expected.push(typed);
      continue;
    }
    if (typed.trim() === "" || typed.startsWith("#")) continue;
    let command = typed;
    while (command.endsWith("\\")) command += `\n${lines[++i] ?? ""}`;
    steps.push({ ...at, line, host, command, expected: [] });
  }
  return steps;
}

/**
 * Calls of acme-lb in code spans, without those that stand for any command, as
 * `acme-lb COMMAND --help` does.
 */
export function spansOf(file: string, markdown: string): Step[] {
  const text = withoutBlocks(markdown);
  return [...text.matchAll(/`([^`]+)`/g)]
    .map((match) => ({
      file,
      line: text.slice(0, match.index).split("\n").length,
      block: 0,
      command: match[1]!.replace(/\s+/g, " "),
      expected: [],
    }))
    .filter(({ command }) => callsIn(command).some(({ words }) => words.length > 0));
}

/** The page with every line of a fenced block empty, so that line numbers stay. */
export function withoutBlocks(markdown: string): string {
  let inside = false;
  return markdown.split("\n").map((line) => {
    const fence = line.trimStart().startsWith("```");
    if (fence) inside = !inside;
    return fence || inside ? "" : line;
  }).join("\n");
}

/** Whether a command printed what the page shows. */
export function printsAsShown(output: string, expected: string[]): boolean {
  if (expected.length === 0) return true;
  const pattern = expected.map((line) =>
    line.trim() === "…" ? "(?:.*\n)*?" : `${escaped(line.trimEnd()).replaceAll("…", ".*")} *\n`
  );
  return new RegExp(`^${pattern.join("")}$`).test(`${output.trimEnd()}\n`);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

export interface CommandLine {
  /** The subcommand with its action, such as `challenge put`; or only `--version`. */
  words: string[];
  flags: string[];
}

/** Where a shell command may begin. */
const BEFORE = /(?:^|[;&|(!'"](?:\s|\\\n)*|\b(?:exec|do|then|ssh \S+)\s+)/.source;
const WORD = /(?:'[^']*'|"[^"]*"|[^\s;&|<>)'"])+/.source;
const CALL = new RegExp(`${BEFORE}(?:[\\w.-]*/)*acme-lb((?:(?:[ ]|\\\\\n)+${WORD})*)`, "g");

/** Every call of acme-lb in a shell command, as far as its words tell without a shell. */
export function callsIn(command: string): CommandLine[] {
  return [...command.matchAll(CALL)].map(([, rest]) => {
    const own = rest!.replaceAll("\\\n", " ").split(/ -- | #/)[0]!;
    const words = own.replaceAll(/'[^']*'|"[^"]*"/g, "VALUE").split(/\s+/).filter(Boolean);
    return {
      words: words.filter((word) => /^[a-z][a-z-]*$/.test(word)),
      flags: words.filter((word) => word.startsWith("-")).map((flag) => flag.replace(/=.*/, "")),
    };
  });
}
