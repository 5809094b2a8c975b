# shellcheck shell=sh disable=SC2154 # $checkout is install.sh's
# The Deno that builds and tests acme-lb: exactly of the version below, the one on PATH, else one
# that is fetched and checked. Read by install.sh.
#
# All that is fetched lies in one folder, outside the checkout where it can. A registry is never
# named here: npm knows which one this machine uses.

deno_version=2.9.6
# Of the executable itself, so that it holds for every way to fetch it. For arm64 there is npm's
# own check alone.
deno_sha256_x64=bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0
# Of npm's package, for a download without npm: checked before it is unpacked.
package_sha512_x64=de67784ca2c2bb3b0b0e67cea02e4a37b34065ac525643209bae2f83a7e80f4d090400c2a584b6ff942a5dfce09cfe59433de22cff6f05026d120735d7a380a1

# set_up: a pinned Deno in $deno, and an environment in which it finds what it needs.
set_up() {
  case $(uname -sm) in
    'Linux x86_64') architecture=x64 ;;
    'Linux aarch64') architecture=arm64 ;;
    *) die "acme-lb runs on Linux, on x86-64 and arm64; this is $(uname -sm)" ;;
  esac
  PATH=$PATH:/usr/sbin:/sbin
  find_deno
  PATH=$(dirname -- "$deno"):$PATH
  # The packages that the build bundles come from the registry that npm uses on this machine, and
  # trust goes to the authorities that the machine trusts.
  if [ -z "${NPM_CONFIG_REGISTRY-}" ] && have npm; then
    registry=$(cd -- "$checkout" && npm config get registry 2>/dev/null) || registry=
    [ -z "$registry" ] || export NPM_CONFIG_REGISTRY="$registry"
  fi
  export PATH DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-system,mozilla}" DENO_NO_UPDATE_CHECK=1
  if [ -z "${DENO_DIR-}" ]; then
    choose_cache
    export DENO_DIR="$cache/deno-dir"
  fi
}

# choose_cache: where all that is fetched goes, so that the next run need not fetch it again.
choose_cache() {
  for parent in "${XDG_CACHE_HOME-}" "${HOME:+$HOME/.cache}"; do
    # Not within the checkout either, where it would be linted and tested: a HOME may be there.
    case $parent in "$checkout"/*) continue ;; /*) ;; *) continue ;; esac
    cache=$parent/acme-lb-build
    if mkdir -p -- "$cache" 2>/dev/null && [ -w "$cache" ]; then return; fi
  done
  cache=$checkout/dist/fetched
  mkdir -p -- "$cache"
}

# find_deno: sets $deno to a Deno of the pinned version.
find_deno() {
  if have deno && is_pinned deno; then
    deno=$(command -v deno)
    return
  fi
  choose_cache
  deno=$cache/deno-$deno_version/deno
  if is_authentic "$deno" && is_pinned "$deno"; then return; fi
  fetch_deno
}

is_pinned() {
  case $("$1" --version 2>/dev/null) in "deno $deno_version "*) ;; *) return 1 ;; esac
}

# is_authentic FILE: it has the digest above, where there is one.
is_authentic() {
  [ -f "$1" ] || return
  [ "$architecture" != x64 ] || has_digest 256 "$deno_sha256_x64" "$1"
}

# has_digest BITS DIGEST FILE
has_digest() {
  [ "$("sha${1}sum" <"$3")" = "$2  -" ]
}

# fetch_deno: each way in turn, from the one that changes least on this machine.
fetch_deno() {
  work=$(mktemp -d -- "$cache/fetch-XXXXXXXX")
  trap 'rm -rf -- "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  say "fetching Deno $deno_version into $cache"
  by_npm || by_download || by_release || by_packaged_npm ||
    die "Deno $deno_version cannot be had here; put it on PATH, install npm, or set NPM_CONFIG_REGISTRY"
  chmod 755 -- "$work/deno"
  is_authentic "$work/deno" || die "the Deno that was fetched is not the one that is pinned here"
  is_pinned "$work/deno" ||
    die "the Deno that was fetched does not start: $("$work/deno" --version 2>&1 | head -n 1)"
  mkdir -p -- "$cache/deno-$deno_version"
  mv -f -- "$work/deno" "$deno"
  rm -rf -- "$work"
  trap - EXIT HUP INT TERM
}

# by_npm: npm compares what it gets with the digest that its registry states.
by_npm() {
  have npm || return
  (
    cd -- "$work" &&
      npm pack --loglevel=error --ignore-scripts --cache "$work/npm" \
        "@deno/linux-$architecture-glibc@$deno_version" >npm.log 2>&1
  ) || {
    say "npm has no Deno $deno_version for $architecture: $(grep -m 1 . "$work/npm.log")"
    return 1
  }
  unpack "$work"/*.tgz
}

# by_download: the same package without npm, where the registry is known from npm's settings.
by_download() {
  [ "$architecture" = x64 ] || return
  registry=$(configured_registry)
  [ -n "$registry" ] || return
  package=@deno/linux-x64-glibc
  download "${registry%/}/$package/-/${package#*/}-$deno_version.tgz" "$work/deno.tgz" || return
  has_digest 512 "$package_sha512_x64" "$work/deno.tgz" ||
    die "the package from $registry is not the one that is pinned here"
  unpack "$work/deno.tgz"
}

configured_registry() {
  if [ -n "${NPM_CONFIG_REGISTRY:-${npm_config_registry-}}" ]; then
    printf '%s\n' "${NPM_CONFIG_REGISTRY:-$npm_config_registry}"
    return
  fi
  for file in "$checkout/.npmrc" "${HOME-}/.npmrc" /etc/npmrc; do
    [ -r "$file" ] || continue
    registry=$(sed -n 's/^ *registry *= *//p' "$file" | tail -n 1)
    if [ -n "$registry" ]; then
      printf '%s\n' "$registry"
      return
    fi
  done
}

# by_release: the archive that Deno's official installer takes.
by_release() {
  [ "$architecture" = x64 ] && have unzip || return
  url=https://dl.deno.land/release/v$deno_version/deno-x86_64-unknown-linux-gnu.zip
  download "$url" "$work/deno.zip" && unzip -q "$work/deno.zip" deno -d "$work"
}

# by_packaged_npm: many packages, so it comes last.
by_packaged_npm() {
  if have npm || ! may_install; then return 1; fi
  say 'installing the Debian package npm'
  install_packages npm && by_npm
}

download() {
  if have curl; then
    curl -fsSL --connect-timeout 15 -o "$2" "$1"
  elif have wget; then
    wget -q --timeout=15 --tries=2 -O "$2" "$1"
  else
    return 1
  fi
}

unpack() {
  tar -xzf "$1" -C "$work" --strip-components=1 package/deno
}
