import assert from "node:assert/strict";
import { makeSbom, type Package } from "../../compile/sbom.ts";

// SHA-512 and SHA-256 of nothing.
const SHA512 =
  "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";
const SHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

function item(name: string, parts: Partial<Package> = {}): Package {
  return {
    name,
    version: "1.0.0",
    integrity: `sha512-${SHA512}`,
    dependencies: [],
    carried: true,
    license: "MIT",
    ...parts,
  };
}

function sbom(...packages: Package[]) {
  return makeSbom({ version: "0.1.0", packages, runtime: { version: "2.0.0", sha256: undefined } });
}

Deno.test("makeSbom() does not depend on the order of the packages", () => {
  const [a, b] = [item("a"), item("b", { dependencies: ["a@1.0.0"] })];
  assert.deepEqual(sbom(a, b), sbom(b, a));
});

Deno.test("makeSbom() lists which package needs which, and leaves test packages out of the product", () => {
  const parts = sbom(
    item("a", { dependencies: ["b@1.0.0"] }),
    item("b"),
    item("c", { carried: false }),
  );
  assert.deepEqual(parts.dependencies, [
    {
      ref: "pkg:generic/acme-lb@0.1.0",
      dependsOn: ["pkg:generic/deno@2.0.0", "pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0"],
    },
    { ref: "pkg:npm/a@1.0.0", dependsOn: ["pkg:npm/b@1.0.0"] },
    { ref: "pkg:npm/b@1.0.0", dependsOn: [] },
    { ref: "pkg:npm/c@1.0.0", dependsOn: [] },
  ]);
  const scopes = (parts.components as { scope: string }[]).map(({ scope }) => scope);
  assert.deepEqual(scopes, ["required", "required", "required", "excluded"]);
});

Deno.test("makeSbom() writes scoped names, other digests and no licence as CycloneDX has them", () => {
  const odd = item("@scope/name", { integrity: `sha256-${SHA256}`, license: undefined });
  assert.deepEqual((sbom(odd).components as unknown[])[1], {
    type: "library",
    "bom-ref": "pkg:npm/%40scope/name@1.0.0",
    name: "@scope/name",
    version: "1.0.0",
    purl: "pkg:npm/%40scope/name@1.0.0",
    scope: "required",
    hashes: [{
      alg: "SHA-256",
      content: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }],
  });
});

Deno.test("makeSbom() refuses an integrity that is not a digest", () => {
  for (const integrity of ["", "sha512-", "sha512-AAAA", `md5-${SHA256}`, `sha512-${SHA256}`]) {
    assert.throws(() => sbom(item("a", { integrity })), RangeError, integrity);
  }
});
