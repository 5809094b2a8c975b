/** `acme-lb challenge`: one token file, written and removed safely. */

import { Argument, type Subcommand } from "../cli.ts";
import { loadConfig } from "../config/load.ts";
import { addFlags, type ConfigFlags, withFlags } from "../config/flags.ts";
import { CA_BODY_BYTES } from "../ca_rules.ts";
import { EXIT, JobError, UsageError } from "../errors.ts";
import { isToken } from "../http/challenge_path.ts";
import { readStandardInput } from "../read_input.ts";
import { plantToken, removeToken } from "./plant_token.ts";

const EXAMPLES = `
Examples:
  printf %s "$CERTBOT_VALIDATION" | acme-lb challenge put "$CERTBOT_TOKEN"
      as certbot's --manual-auth-hook
  acme-lb challenge remove "$CERTBOT_TOKEN"
      as its --manual-cleanup-hook

put reads the key authorization, TOKEN.THUMBPRINT, from standard input. It writes the file into
the first webroot, readable for everybody, and creates the webroot if it is missing. It refuses a
text that is longer than the CA reads (127 bytes). remove deletes only a file, and succeeds if
there is none.`;

export const challenge: Subcommand<ConfigFlags> = {
  configure(command) {
    command
      .addArgument(new Argument("<action>", "what to do").choices(["put", "remove"]))
      .argument("<token>", "the challenge's token; may begin with a dash");
    addFlags(command, ["webroot"]);
    command.addHelpText("after", EXAMPLES);
  },

  rewrite: protectToken,

  async run(options, operands) {
    const [action, token = ""] = operands;
    // The token comes from outside: it must not become part of a path before it is checked.
    if (!isToken(token)) throw new UsageError("the token is not 1 to 128 characters of base64url");
    const webroots = withFlags((await loadConfig(options.config)).config, options).webroot;
    const [webroot = ""] = webroots;
    if (action === "put") await put(webroot, token);
    else await removeToken(webroot, token);
    return EXIT.done;
  },
};

async function put(webroot: string, token: string): Promise<void> {
  const text = (await readStandardInput(1024)).trimEnd();
  const [first, thumbprint, ...rest] = text.split(".");
  if (first !== token || !/^[A-Za-z0-9_-]+$/.test(thumbprint ?? "") || rest.length > 0) {
    throw new JobError("standard input is not the key authorization: it must be TOKEN.THUMBPRINT");
  }
  if (text.length > CA_BODY_BYTES) {
    const size = `${text.length} bytes, and the CA reads no more than ${CA_BODY_BYTES}`;
    throw new JobError(`the key authorization is too long: it has ${size}`);
  }
  await plantToken(webroot, { token, content: text });
}

/**
 * One token in 64 begins with a dash and would be read as flags. So `--` is put before the word
 * after put or remove, and before the last word, when it is a token and not one of the flags.
 */
export function protectToken(args: string[]): string[] {
  if (args.includes("--")) return args;
  const flags = ["--webroot", "--config", "--log-format", "--log-level", "--help", "-h"];
  const at = args.findIndex((word, i) => {
    const placed = ["put", "remove"].includes(args[i - 1]!) || i === args.length - 1;
    return placed && word.startsWith("-") && isToken(word) && !flags.includes(word);
  });
  return at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 1), "--", args[at]!];
}
