/**
 * `acme-lb generate`: the man page and the completions, from the definitions of the command line.
 */

import { Argument, type CliOptions, loadProgram, type Subcommand, writeToStdout } from "../cli.ts";
import { EXIT } from "../errors.ts";
import { bashCompletion } from "../manual/bash_completion.ts";
import { fishCompletion } from "../manual/fish_completion.ts";
import { manPage } from "../manual/man_page.ts";
import { zshCompletion } from "../manual/zsh_completion.ts";
import { type Usage, usageOf } from "../usage.ts";
import { VERSION } from "../version.ts";

const DOCUMENTS: Record<string, (usage: Usage) => string> = {
  man: (usage) => manPage(usage, VERSION),
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

const EXAMPLES = `
Examples:
  acme-lb generate man >/usr/local/share/man/man8/acme-lb.8
  acme-lb generate bash >/usr/share/bash-completion/completions/acme-lb
  acme-lb generate zsh >/usr/local/share/zsh/site-functions/_acme-lb
  acme-lb generate fish >/usr/share/fish/vendor_completions.d/acme-lb.fish
      each to the path where it is looked for; a version prints the same text on every machine`;

/** The command, for a program of which it is a part itself. */
export function generate(program: CliOptions): Subcommand {
  return {
    configure(command) {
      command
        .addArgument(
          new Argument("<document>", "what to print").choices(Object.keys(DOCUMENTS)),
        )
        .addHelpText("after", EXAMPLES);
    },

    async run(_options, [document = ""]) {
      writeToStdout(DOCUMENTS[document]!(usageOf(await loadProgram(program))));
      return EXIT.done;
    },
  };
}
