/**
 * The parts list of the executable, as CycloneDX 1.5 in JSON: every package of deno.lock and the
 * runtime. Pure, and without a time or a random serial number: the same commit, the same list.
 */

import { Buffer } from "node:buffer";

/** A package of deno.lock. */
export interface Package {
  name: string;
  version: string;
  /** As deno.lock has it, such as `sha512-…` in base64. */
  integrity: string;
  /** Packages that it needs, as `name@version`. */
  dependencies: string[];
  /** Whether any of it is in the executable; the rest serves the tests. */
  carried: boolean;
  /** An SPDX identifier; undefined where the package names none. */
  license: string | undefined;
}

export interface Parts {
  /** Of acme-lb. */
  version: string;
  packages: Package[];
  /** Deno. The digest is undefined where the base binary of `deno compile` is in its place. */
  runtime: { version: string; sha256: string | undefined };
}

const LICENSE = "MIT";
const CARRIED = "required";
/** CycloneDX: "not a part of what is delivered, such as a test framework". */
const FOR_TESTS = "excluded";

/** @throws {RangeError} for an integrity that is no digest */
export function makeSbom({ version, packages, runtime }: Parts): Record<string, unknown> {
  const self = `pkg:generic/acme-lb@${version}`;
  const deno = `pkg:generic/deno@${runtime.version}`;
  const ordered = packages.toSorted((a, b) => purlOf(a) < purlOf(b) ? -1 : 1);
  const purls = new Map(ordered.map((item) => [`${item.name}@${item.version}`, purlOf(item)]));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      component: component("application", {
        name: "acme-lb",
        version,
        purl: self,
        license: LICENSE,
      }),
    },
    components: [
      {
        ...component("platform", {
          name: "deno",
          version: runtime.version,
          purl: deno,
          license: LICENSE,
        }),
        scope: CARRIED,
        ...runtime.sha256 === undefined
          ? {}
          : { hashes: [{ alg: "SHA-256", content: runtime.sha256 }] },
      },
      ...ordered.map((item) => ({
        ...component("library", { ...item, purl: purlOf(item) }),
        scope: item.carried ? CARRIED : FOR_TESTS,
        hashes: [hashOf(item)],
      })),
    ],
    dependencies: [
      {
        ref: self,
        dependsOn: [deno, ...ordered.filter(({ carried }) => carried).map(purlOf)],
      },
      ...ordered.map((item) => ({
        ref: purlOf(item),
        dependsOn: item.dependencies.map((id) => purls.get(id)).filter((purl) =>
          purl !== undefined
        ),
      })),
    ],
  };
}

function component(
  type: string,
  { name, version, purl, license }: Pick<Package, "name" | "version" | "license"> & {
    purl: string;
  },
) {
  const licenses = license === undefined ? {} : { licenses: [{ license: { id: license } }] };
  return { type, "bom-ref": purl, name, version, purl, ...licenses };
}

/** A package URL: the @ of a scope is escaped, the slash behind it is not. */
function purlOf({ name, version }: Package): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function hashOf({ name, integrity }: Package): { alg: string; content: string } {
  const [, bits, digest] = /^sha(256|384|512)-([A-Za-z0-9+/]+={0,2})$/.exec(integrity) ?? [];
  const content = Buffer.from(digest ?? "", "base64").toString("hex");
  if (content.length * 4 !== Number(bits)) {
    throw new RangeError(`Cannot read the integrity of ${name}: ${JSON.stringify(integrity)}`);
  }
  return { alg: `SHA-${bits}`, content };
}
