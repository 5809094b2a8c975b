#!/bin/sh
# acme-lb @VERSION@ in its carrying form: this start, then the Deno runtime and the program, both
# gzip-compressed, from byte @START@ on. Read it with: head -c @START@ acme-lb
#
# The first start unpacks both into one directory, compares their digests and renames it into
# place; every start then becomes the runtime by exec, with the permissions at the end of this
# text. It needs sh, coreutils and gzip. What it runs lies where only root and the caller can
# write: any other directory is passed over, so nobody can have put a runtime there beforehand.
set -u

self=$0
id='@ID@'
payload_start=@START@
file_size=@FILE_SIZE@
runtime_size=@RUNTIME_SIZE@
program_size=@PROGRAM_SIZE@
runtime_sha256='@RUNTIME_SHA256@'
program_sha256='@PROGRAM_SHA256@'

uid=$(id -u)
home=          # where runtime and program lie, once found
unpacking=     # what a signal must remove
passed_over='' # the places that would not do, each with its reason

# fail REASON: to a monitoring system 3 is "unknown", while 1 would be a warning.
fail() {
  printf 'acme-lb: %s\n' "$1" >&2
  case $words in *' check-expiry '*) exit 3 ;; esac
  exit 1
}

pass_over() {
  passed_over="$passed_over; $1: $2"
  return 1
}

# chosen ACT: the operator's own choice goes before everything, even before what is ready elsewhere.
chosen() {
  [ -n "${ACME_LB_CACHE-}" ] && "$1" "$ACME_LB_CACHE"
}

# each_place ACT: runs ACT with one place after the other until one succeeds.
each_place() {
  if [ -n "${CACHE_DIRECTORY-}" ]; then "$1" "${CACHE_DIRECTORY%%:*}" && return; fi # systemd's
  "$1" /var/cache/acme-lb && return
  if [ -n "${XDG_CACHE_HOME-}" ]; then "$1" "$XDG_CACHE_HOME/acme-lb" && return; fi
  if [ -d "${HOME-}" ]; then "$1" "${HOME%/}/.cache/acme-lb" && return; fi
  "$1" "${TMPDIR:-/tmp}/acme-lb-$uid"
}

# trusted PLACE DIR: only root and the caller can have put there what is there. Every directory on
# the way to DIR belongs to one of them and is closed to other writers, or sticky as /tmp is; where
# PLACE is a symbolic link, that belongs to one of them too.
trusted() {
  path=$(cd -P -- "$2" 2>/dev/null && pwd -P) || return
  set -- "$1" /
  while [ -n "${path%/}" ]; do
    set -- "$@" "$path"
    path=${path%/*}
  done
  facts=$(stat -c '%u:%f' -- "$@") || return
  for fact in $facts; do
    case ${fact%:*} in 0 | "$uid") ;; *) return 1 ;; esac
    mode=0x${fact#*:}
    [ $((mode & 0170000)) -eq $((0120000)) ] && continue
    [ $((mode & 0022)) -eq 0 ] || [ $((mode & 01000)) -ne 0 ] || return 1
  done
}

# ready PLACE: this version lies there whole, may be executed and is to be trusted.
ready() {
  case $1 in /*) ;; *) return 1 ;; esac
  home=$1/carried-$id
  [ -x "$home/acme-lb" ] && trusted "$1" "$home" &&
    [ "$(stat -c %s -- "$home/acme-lb" "$home/acme-lb.js" 2>/dev/null)" = "$runtime_size
$program_size" ]
}

# sweep PLACE: removes what a killed first start left, and versions that an upgrade replaced. A
# version still in use elsewhere has its files open, or unpacks itself again.
sweep() {
  now=$(date +%s)
  for old in "$1"/unpack-* "$1"/carried-*; do
    [ -d "$old" ] && [ "$old" != "$home" ] &&
      [ $((now - $(stat -c %Y -- "$old" || echo "$now"))) -gt 86400 ] && rm -rf -- "$old"
  done
}

# unpack PLACE: succeeds when the place is ready afterwards, whoever made it so.
unpack() {
  case $1 in /*) ;; *) pass_over "$1" 'not an absolute path' || return ;; esac
  mkdir -p -- "$1" 2>/dev/null || pass_over "$1" 'cannot be created' || return
  trusted "$1" "$1" || pass_over "$1" 'others can write to it, or to a directory above it' || return
  home=$1/carried-$id
  sweep "$1"
  unpacking=$(mktemp -d -- "$1/unpack-XXXXXXXXXX" 2>/dev/null) ||
    pass_over "$1" 'not writable' || return
  [ ! -t 2 ] || printf 'acme-lb: first start: unpacking into %s\n' "$home" >&2
  if fill "$1"; then settle "$1"; fi
  rm -rf -- "$unpacking"
  unpacking=
  ready "$1"
}

# fill PLACE: runtime and program into $unpacking, checked. Their two gzip streams unpack as one.
fill() {
  { : >"$unpacking/acme-lb" && chmod 755 -- "$unpacking" "$unpacking/acme-lb"; } 2>/dev/null
  [ -x "$unpacking/acme-lb" ] || pass_over "$1" 'takes no executable file (noexec?)' || return
  said=$(
    exec 2>&1
    tail -c "+$((payload_start + 1))" -- "$self" | gzip -dc | {
      head -c "$runtime_size" >"$unpacking/acme-lb" && cat >"$unpacking/acme-lb.js"
    }
  )
  printf '%s  acme-lb\n%s  acme-lb.js\n' "$runtime_sha256" "$program_sha256" |
    (cd -- "$unpacking" && sha256sum --check --status 2>/dev/null) ||
    pass_over "$1" "not unpacked whole: $(one_line "$said")" || return
  said=$("$unpacking/acme-lb" --version 2>&1) ||
    pass_over "$1" "the runtime does not start: $(one_line "$said")"
}

one_line() {
  line=$(printf %s "$1" | tr -s '[:space:]' ' ')
  printf %s "${line# }"
}

# settle PLACE: gives the filled directory its name. A directory that is not empty resists: then
# another first start has won, or what lies there is broken and makes way.
settle() {
  mv -fT -- "$unpacking" "$home" 2>/dev/null || ready "$1" ||
    { rm -rf -- "$home" && mv -fT -- "$unpacking" "$home"; }
}

# first_start: the one time that this shell does more than look.
first_start() {
  [ "$(stat -L -c %s -- "$self")" = "$file_size" ] ||
    fail "$self is not whole: it should have $file_size bytes; copy it again"
  mask=$(umask)
  umask 022
  trap 'rm -rf -- "$unpacking"; exit 129' HUP
  trap 'rm -rf -- "$unpacking"; exit 130' INT
  trap 'rm -rf -- "$unpacking"; exit 143' TERM
  chosen unpack || each_place ready || each_place unpack ||
    fail "nowhere to unpack to${passed_over}; ACME_LB_CACHE can name a directory of your own"
  trap - HUP INT TERM
  umask "$mask"
}

words=" $* "
[ -e /proc/self/exe ] || fail 'the Deno runtime needs /proc, and it is not mounted'
if [ -n "${ACME_LB_CACHE-}" ]; then chosen ready; else each_place ready; fi || first_start

# The runtime must not ask for updates, read a package.json or an .npmrc, preload what NODE_OPTIONS
# names, or keep its compiled code where others can write. acme-lb itself reads none of these.
unset NODE_OPTIONS DENO_SERVE_ADDRESS DENO_AUTO_SERVE
export HOME="$home" DENO_DIR="$home/cache" DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1
exec "$home/acme-lb" run @FLAGS@ "$home/acme-lb.js" "$@"
