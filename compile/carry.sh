#!/bin/sh
# acme-lb @VERSION@ in its carrying form: this start, then the Deno runtime and the program, both
# gzip-compressed, from byte @START@ on. Read it with: head -c @START@ acme-lb
#
# The first start unpacks both into one directory, compares their digests and renames it into
# place; every start then becomes the runtime by exec, with the permissions at the end of this
# text. It needs sh, coreutils and gzip. What it runs lies where only root and the caller can
# write: any other directory is passed over, so nobody can have put a runtime there beforehand.
# A directory is looked at, filled and started from by its physical path, without links.
set -u
unset LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GZIP

self=$0
id='@ID@'
payload_start=@START@
file_size=@FILE_SIZE@
# The runtime and the modules of the program, as NAME:SIZE:SHA256, in the order of the payload.
files='@FILES@'
# What acme-lb may read of the environment, and nothing else of it reaches the runtime.
variables='@VARIABLES@'
newline='
'

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
  "$1" "${TMPDIR:-/tmp}/acme-lb-$(id -u)"
}

# trusted PLACE DIR FILE...: only root and the caller can have put there what is there. Every
# directory on the way to DIR, and each FILE in it, belongs to one of them and is closed to other
# writers, or sticky as /tmp is; where PLACE is a symbolic link, that belongs to one of them too.
# Leaves the physical path of DIR in $real, and the sizes of the regular ones among the files in
# $sizes. One process looks at all of it: this is what every start waits for.
trusted() {
  facts=$(
    place=$1
    cd -P -- "$2" 2>/dev/null || exit
    case $PWD in *"$newline"*) exit 1 ;; esac
    printf '%s\n' "$PWD"
    shift 2
    path=$PWD
    while [ -n "${path%/}" ]; do
      set -- "$path" "$@"
      path=${path%/*}
    done
    # The slash matters: the directory belongs to the caller, the link before it to root.
    exec stat -c '%u:%f:%s' -- /proc/self/ "$place" / "$@" 2>/dev/null
  ) || return
  real=${facts%%"$newline"*}
  facts=${facts#*"$newline"}
  uid=
  sizes=
  for fact in $facts; do
    [ -n "$uid" ] || { uid=${fact%%:*} && continue; }
    case ${fact%%:*} in 0 | "$uid") ;; *) return 1 ;; esac
    fact=${fact#*:}
    mode=0x${fact%:*}
    case $((mode & 0170000)) in
      $((0120000))) continue ;;
      $((0100000))) sizes="$sizes ${fact#*:}" mode=$((mode & ~01000)) ;;
    esac
    [ $((mode & 0022)) -eq 0 ] || [ $((mode & 01000)) -ne 0 ] || return 1
  done
}

# ready PLACE: this version lies there whole, may be executed and is to be trusted.
ready() {
  case $1 in /*) ;; *) return 1 ;; esac
  home=$1/carried-$id
  [ -x "$home/acme-lb" ] || return
  set -- "$1" "$home"
  expected=
  for file in $files; do
    set -- "$@" "$home/${file%%:*}"
    file=${file#*:}
    expected="$expected ${file%%:*}"
  done
  trusted "$@" && [ "$sizes" = "$expected" ] && home=$real
}

# sweep PLACE: removes what a killed first start left, and versions that an upgrade replaced: our own
# directories alone, for a place may hold others'. A version still in use elsewhere has its files
# open, or unpacks itself again.
sweep() {
  now=$(date +%s)
  for old in "$1"/.acme-lb-unpack-?????????? "$1"/carried-*; do
    if [ ! -d "$old" ] || [ -L "$old" ] || [ ! -O "$old" ] || [ "$old" = "$home" ]; then continue; fi
    version=${old##*/carried-}
    case $version in
      */.acme-lb-unpack-*) ;;
      *[!0-9a-f]*) continue ;;
      *) if [ ${#version} -ne 32 ] || [ ! -f "$old/acme-lb" ] || [ ! -f "$old/@MAIN@" ]; then continue; fi ;;
    esac
    [ $((now - $(stat -c %Y -- "$old" || echo "$now"))) -le 86400 ] || rm -rf -- "$old"
  done
}

# unpack PLACE: succeeds when the place is ready afterwards, whoever made it so.
unpack() {
  case $1 in /*) ;; *) pass_over "$1" 'not an absolute path' || return ;; esac
  mkdir -p -- "$1" 2>/dev/null || pass_over "$1" 'cannot be created' || return
  trusted "$1" "$1" || pass_over "$1" 'others can write to it, or to a directory above it' || return
  set -- "$real"
  home=$1/carried-$id
  sweep "$1"
  unpacking=$(mktemp -d -- "$1/.acme-lb-unpack-XXXXXXXXXX" 2>/dev/null) ||
    pass_over "$1" 'not writable' || return
  [ ! -t 2 ] || printf 'acme-lb: first start: unpacking into %s\n' "$home" >&2
  if fill "$1"; then settle "$1"; fi
  rm -rf -- "$unpacking"
  unpacking=
  ready "$1" && learn
}

# learn: has the runtime note down what it finds out about each module, which takes it longer than
# the program; those who may not write here would have to find it out at each start.
learn() {
  (program generate man) </dev/null >/dev/null 2>&1
  return 0
}

# fill PLACE: all files into $unpacking, checked. The two gzip streams unpack as one.
fill() {
  { : >"$unpacking/acme-lb" && chmod 755 -- "$unpacking" "$unpacking/acme-lb"; } 2>/dev/null
  [ -x "$unpacking/acme-lb" ] || pass_over "$1" 'takes no executable file (noexec?)' || return
  said=$(
    exec 2>&1
    tail -c "+$((payload_start + 1))" -- "$self" | gzip -dc | {
      for file in $files; do
        size=${file#*:}
        head -c "${size%%:*}" >"$unpacking/${file%%:*}" || exit
      done
      cat >/dev/null # gzip has its last word when it is done
    }
  )
  for file in $files; do printf '%s  %s\n' "${file##*:}" "${file%%:*}"; done |
    (cd -- "$unpacking" && sha256sum --check --status 2>/dev/null) ||
    pass_over "$1" "not unpacked whole: $(one_line "$said")" || return
  # coreutils before 8.31 cannot block a signal.
  env --block-signal=USR1 true 2>/dev/null || : >"$unpacking/no-signal-mask"
  said=$(become "$unpacking" --version 2>&1) ||
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

# become DIR ARGUMENT...: the runtime that lies there, in place of this shell. Of the environment it
# gets what acme-lb reads: the rest could make the runtime load foreign code, write files or hand out its permissions.
# It must not ask for updates, read a package.json or an .npmrc, or keep its compiled code where
# others can write, and it opens its debugger to the whole machine on SIGUSR1 unless that is blocked.
become() {
  dir=$1
  shift
  set -- "$dir/acme-lb" "$@"
  for name in $variables; do
    eval "[ -z \"\${$name+x}\" ] || set -- \"$name=\$$name\" \"\$@\""
  done
  block=--block-signal=USR1
  [ ! -e "$dir/no-signal-mask" ] || block=--
  case $self in /*) ;; *) self=$PWD/${self#./} ;; esac
  exec env -i "$block" ACME_LB_SELF="$self" HOME="$dir" DENO_DIR="$dir/cache" DENO_NO_UPDATE_CHECK=1 \
    DENO_NO_PACKAGE_JSON=1 "$@"
}

# program ARGUMENT...: becomes acme-lb.
program() {
  set -f # a file of the working directory may match a flag that holds a star
  become "$home" run @FLAGS@ "$home/@MAIN@" "$@"
}

words=" $* "
[ -e /proc/self/exe ] || fail 'the Deno runtime needs /proc, and it is not mounted'
# The runtime does not start in a directory that has been removed. The one that takes its place holds
# no files, and nothing can be made there, so that a relative path cannot mean another file.
# shellcheck disable=SC3013 # dash, bash and busybox have -ef
[ "$PWD" -ef . ] || env pwd -P >/dev/null 2>&1 || cd /proc/self/task || fail 'cannot enter /proc/self/task'
if [ -n "${ACME_LB_CACHE-}" ]; then chosen ready; else each_place ready; fi || first_start

program "$@"
