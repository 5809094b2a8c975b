/** Tests over a running fleet whose failures show the ends of its logs. */

export interface LoggedStories {
  /** The reason why they cannot run here, as Deno's `ignore`. */
  ignore: boolean;
  logs: () => Promise<string>;
}

/** A function that declares such a test. */
export function loggedStories(
  { ignore, logs }: LoggedStories,
): (name: string, fn: () => Promise<void>) => void {
  return (name, fn) =>
    Deno.test({
      name,
      ignore,
      async fn() {
        try {
          await fn();
        } catch (error) {
          throw new Error(`${error}\n${await logs()}`, { cause: error });
        }
      },
    });
}
