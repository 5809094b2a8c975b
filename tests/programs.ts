/**
 * The program versions with which the tests have run, as the table of docs/programs.md. A run of
 * all tests asks the package manager of each release, writes the page anew into dist/ and compares.
 */

const HERE = [
  "haproxy",
  "keepalived",
  "nginx",
  "certbot",
  "acmetool",
  "lego",
  "dehydrated",
  "acme.sh",
  "pebble",
  "openssl",
  "prometheus",
];
/** Only in userlands: programs that should not be installed on a developer's machine. */
export const ADDED = ["caddy", "icinga2-bin", "icinga2-common", "nagios4-core"];
export const PROGRAMS = [...HERE, ...ADDED.filter((program) => program !== "icinga2-common")];

/** What prints `PACKAGE VERSION` for each of the programs that is installed. */
export const QUERY = [
  ...["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package} ${Version}\\n"],
  ...HERE,
];
/** The same in a userland. */
export const QUERY_WITHIN = [...QUERY, ...ADDED];

/** Versions by program, of one release. */
export type Versions = Map<string, string>;

/** Of what {@link QUERY} prints, without Debian's epoch and revision. */
export function versionsIn(printed: string): Versions {
  return new Map(
    [...printed.matchAll(/^installed (\S+) (?:\d+:)?([^\s-]+?)(?:[+~][^\s-]*)?(?:-\S+)?$/gm)]
      .map(([, program, version]) => [program!, version!]),
  );
}

const HEADING = `# Programs

What the tests of acme-lb run against: Debian's packages in each of these releases. The table is
written by \`./install.sh --test\`, which puts it into \`dist/programs.md\` and fails when a program
or a release is missing here, or when a version of a stable release is another than is said here
up to its second number.

`;

/** The page for the releases in their order. */
export function programsPage(releases: Map<string, Versions>): string {
  const row = (cells: string[]) => `| ${cells.join(" | ")} |\n`;
  return HEADING + row(["program", ...releases.keys()]) +
    row(["---", ...releases.keys().map(() => "---")]) +
    PROGRAMS.map((program) =>
      row([program, ...releases.values().map((versions) => versions.get(program) ?? "–")])
    ).join("");
}

/** The releases of a page. */
export function readProgramsPage(page: string): Map<string, Versions> {
  const [heading = [], , ...rows] = page.split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  return new Map(
    heading.slice(1).map((release, column) => [
      release,
      new Map(
        rows.filter((row) => row[column + 1] !== "–").map((row) => [row[0]!, row[column + 1]!]),
      ),
    ]),
  );
}

/** Releases that move on from day to day. */
const MOVING = ["sid", "forky"];

/** What the page says otherwise than the releases that were met; a release not met is not judged. */
export function programsDifferences(page: string, met: Map<string, Versions>): string[] {
  const told = readProgramsPage(page);
  return [...met].flatMap(([release, versions]) => {
    const said = told.get(release);
    if (said === undefined) return [`${release} is missing`];
    return PROGRAMS.flatMap((program) => {
      const [is, says] = [versions.get(program), said.get(program)];
      const same = MOVING.includes(release)
        ? (is === undefined) === (says === undefined)
        : secondNumber(is) === secondNumber(says);
      return same ? [] : [`${release}: ${program} is ${is ?? "absent"}, not ${says ?? "absent"}`];
    });
  });
}

function secondNumber(version: string | undefined): string | undefined {
  return version?.split(".").slice(0, 2).join(".");
}
