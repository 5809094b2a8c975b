#!/bin/sh
# install.sh: installs acme-lb on this machine, or builds and runs a clone. See ./install.sh --help.
# With --binary only this file and the executable are needed, so both can be copied to a balancer.
# To build or test, it needs the checkout: install/deno.sh finds the pinned Deno, install/debian.sh
# installs the programs that the tests use.
set -eu

usage() {
  cat <<'USAGE'
Usage: ./install.sh --install [--prefix DIR] [--binary FILE] [--no-systemd] [--dry-run]
       ./install.sh --uninstall [--prefix DIR] [--dry-run]
       ./install.sh --build
       ./install.sh --demo [--keep]
       ./install.sh --test
       ./install.sh --help

  --install      sets up this balancer: the program, its manual and completions; the user acme-lb,
                 the group acme-challenge and the webroot it may write to; /etc/acme-lb/config.yaml
                 unless it is there; systemd units, enabled and not started. It checks that the
                 user acme-lb can run the service, and says what that user cannot do. Run it again
                 to upgrade: correct files are left alone, a file that somebody has changed is kept
                 beside the new one as .NAME.old-TIME, and a running service is restarted. When a
                 step fails, the steps before it are undone
  --prefix DIR   instead of /usr/local; without root, or when the units run the acme-lb of another
                 prefix, only files below DIR are installed
  --binary FILE  this executable instead of a new one; then install.sh needs no checkout and no Deno
  --no-systemd   installs no units, and no user, group or webroot
  --dry-run      says what would be done, without doing it
  --uninstall    removes what --install has installed with this prefix; asks before it removes
                 configuration or webroot, and keeps them when there is no terminal; names the
                 hooks and timers that still call the program

  --build        builds dist/acme-lb, and installs nothing
  --demo         builds dist/acme-lb, starts three balancers on loopback ports, sends them the test
                 requests of the original article, and prints every request and answer
  --keep         leaves the three running after the demo, and says how to stop them
  --test         builds dist/acme-lb and runs every test; as root on Debian it first installs the
                 programs that the end-to-end tests need; elsewhere those tests are skipped

--prefix, --binary, --no-systemd and --dry-run without another mode mean --install.
USAGE
}

say() {
  printf 'install.sh: %s\n' "$*" >&2
}

die() {
  say "$*"
  exit 1
}

refuse() {
  say "$*; see ./install.sh --help"
  exit 64
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# doing VERB WHAT: prints one line for each step. A dry run does nothing else.
doing() {
  if [ -n "$dry" ]; then say "would $1 $2"; else say "$1 $2"; fi
}

# ---- Installing. Every file is first written to a temporary name in its directory and then
# renamed. A journal in $work says how to undo each step; a list says what --uninstall must remove.

install_program() {
  check_machine
  [ -n "$binary" ] || build
  umask 022
  work=$(mktemp -d)
  for file in journal list new; do : >"$work/$file"; done
  trap take_back EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM

  if [ -n "$units" ]; then warn_of_rights; fi
  choose_unpacking
  place_program
  place_documents
  if [ -n "$machine" ]; then place_configuration; fi
  if [ -n "$units" ]; then place_units; fi
  place_list
  put_in_place
  if [ -n "$units" ]; then set_up_units; fi
  unfit=''
  if [ -n "$units" ] && [ -z "$dry" ]; then try_as_user; fi
  settle
}

# check_machine: sets $machine when files outside the prefix are installed too, $units when also
# systemd units.
check_machine() {
  machine='' units=''
  if [ "$(id -u)" -eq 0 ]; then
    refuse_shared "$prefix"
    if another_runs; then
      say "the units run $running: only what lies below $prefix is installed"
    else
      machine=yes
      if [ -z "$no_systemd" ]; then units=yes; fi
    fi
  elif [ "$prefix" != /usr/local ]; then
    say "without root: only what lies below $prefix"
  fi
  for tool in ${units:+systemctl systemd-sysusers systemd-tmpfiles}; do
    have "$tool" || die "there is no $tool here; without systemd, add --no-systemd"
  done
  parent=$prefix
  while [ ! -e "$parent" ]; do parent=$(dirname -- "$parent"); done
  [ -d "$parent" ] || die "$parent is not a directory"
  [ -w "$parent" ] || die "$parent cannot be written to; run this as root, or give --prefix DIR"
  [ -z "$binary" ] || [ -f "$binary" ] || die "--binary: there is no file $binary"
}

# refuse_shared DIR: root must not write where another user can replace the directory by a link, nor
# run a program, or load completions, that another user can replace.
refuse_shared() {
  if [ "$(id -u)" -ne 0 ] || only_roots "$1"; then return; fi
  die "$stranger can be changed by users other than root, and root would run what they put there: give another --prefix, or run this as its owner"
}

# only_roots PATH: succeeds when only root can change PATH and everything that it leads to.
# Otherwise sets $stranger to the part that another user can change. Parts of PATH that do not exist
# are ignored.
only_roots() {
  way=$1
  while [ ! -e "$way" ]; do way=$(dirname -- "$way"); done
  set -- "$way" "$(realpath -- "$way")"
  if [ "$1" = "$2" ]; then shift; fi
  for way; do
    while :; do
      stranger=$way
      read -r owner bits group <<FACTS
$(stat -c '%u 0%a %G' -- "$way")
FACTS
      # For a link, only its owner matters here; its target is checked in the second round.
      [ "$owner" -eq 0 ] || return 1
      if [ ! -L "$way" ]; then
        [ $((bits & 01002)) -ne 2 ] || return 1
        # Debian's group staff may write to /usr/local, and is trusted like root there.
        case $((bits & 01020)):$group in
          16:root | 16:staff) ;;
          16:*) return 1 ;;
        esac
      fi
      [ "$way" != / ] || break
      way=${way%/*}
      way=${way:-/}
    done
  done
}

# another_runs: succeeds when the units run an existing program of another prefix, and sets $running
# to it.
another_runs() {
  running=$(sed -n 's/^ExecStart=\([^ ]*\) serve.*/\1/p' /etc/systemd/system/acme-lb.service 2>/dev/null |
    tail -n 1)
  [ -n "$running" ] && [ "$running" != "$prefix/bin/acme-lb" ] && [ -x "$running" ]
}

build() {
  [ -e "$checkout/compile.ts" ] ||
    die "nothing to build acme-lb from in $checkout; give the executable as --binary FILE"
  doing build "$checkout/dist/acme-lb"
  if [ -n "$dry" ]; then return; fi
  read_parts
  set_up
  # shellcheck disable=SC2154 # set by set_up
  (cd -- "$checkout" && "$deno" run --quiet -A compile.ts)
  binary=$checkout/dist/acme-lb
}

# place_program: checks that the new program runs here, so that a truncated copy, or one for another
# architecture, does not replace a working one.
place_program() {
  place "$binary" "$prefix/bin/acme-lb" 755
  if [ -n "$dry" ]; then
    program=$binary
    if [ ! -x "$program" ]; then program=''; fi
  else
    program=$(beside "$prefix/bin/acme-lb" new)
    if [ ! -e "$program" ]; then program=$prefix/bin/acme-lb; fi
  fi
  if [ -z "$program" ]; then return; fi
  said=$(acme_lb --version 2>&1) ||
    die "$binary does not run on this machine ($(uname -sm)): $(first_line "$said")"
  case $said in
    'acme-lb '*) say "this is $said" ;;
    *) die "$binary is not acme-lb; its --version says: $(first_line "$said")" ;;
  esac
}

# choose_unpacking: where the executable unpacks its runtime when it is run here. Root unpacks it
# for all later users.
choose_unpacking() {
  unpacking=$work/cache
  if [ -n "$dry" ] || [ "$(id -u)" -ne 0 ]; then return; fi
  # With another installation on this machine, only if that directory already exists.
  if [ -z "$machine" ] && [ ! -d "$runtime_cache" ]; then return; fi
  unpacking=$runtime_cache
  [ -e "$unpacking" ] || journal empty "$unpacking"
}

# acme_lb ...: runs the program that is to be installed.
acme_lb() {
  ACME_LB_CACHE=${ACME_LB_CACHE:-$unpacking} "$program" "$@"
}

first_line() {
  printf '%s\n' "$1" | head -n 1 | LC_ALL=C tr -cd '[:print:]'
}

place_documents() {
  place_output "$prefix/share/man/man8/acme-lb.8" generate man
  place_output "$prefix/share/bash-completion/completions/acme-lb" generate bash
  place_output "$prefix/share/zsh/site-functions/_acme-lb" generate zsh
  place_output "$prefix/share/fish/vendor_completions.d/acme-lb.fish" generate fish
}

place_configuration() {
  make_folder /etc/acme-lb
  if [ -e /etc/acme-lb/config.yaml ]; then
    say 'keep /etc/acme-lb/config.yaml'
    return
  fi
  configuration >"$work/config.yaml"
  place "$work/config.yaml" /etc/acme-lb/config.yaml 644 config
}

# configuration: prints the first config.yaml. Each line after "# " is valid when the "# " is
# removed.
configuration() {
  cat <<'YAML'
# The configuration of acme-lb: the same file on every balancer. Every key has a default, so this
# file may stay as it is on a single machine. acme-lb check-config shows all keys, or what is wrong.
# After a change: systemctl reload acme-lb.

## The challenge ports of all balancers, this one included.
# peers:
#   - "[2001:db8::f001]:31080"
#   - "[2001:db8::f002]:31080"
#   - "[2001:db8::f003]:31080"

## Where the ACME client puts its tokens.
# webroot: /run/acme/acme-challenge

## What acme-lb check-expiry looks at: files, directories, patterns.
# certificates:
#   - /etc/haproxy/certs

## For Prometheus (/metrics) and for keepalived's health check (/healthz).
# metrics:
#   listen: ["[::1]:9180"]
YAML
}

unit_files='/etc/sysusers.d/acme-lb.conf /etc/tmpfiles.d/acme-lb.conf
/etc/systemd/system/acme-lb.service /etc/systemd/system/acme-lb-check-expiry.service
/etc/systemd/system/acme-lb-check-expiry.timer'

place_units() {
  if [ -n "$program" ]; then
    acme_lb render systemd --root "$work/root" >/dev/null ||
      die 'the units are made from the configuration: correct it and run this again'
    # The units name the program that rendered them, which is not in its final place yet.
    sed -i -e "s|$program|$prefix/bin/acme-lb|" -e "s|/usr/local/bin/acme-lb|$prefix/bin/acme-lb|" \
      "$work/root/etc/systemd/system"/*.service
  fi
  for file in $unit_files; do
    place "$work/root$file" "$file" 644
  done
}

# place_list: what --uninstall removes, in reverse order. Entries of earlier runs are kept.
place_list() {
  make_folder "$(dirname -- "$list")"
  if [ -n "$machine" ]; then listed cache "$runtime_cache"; fi
  if [ -n "$units" ]; then
    getent group acme-challenge >/dev/null || listed group acme-challenge
    getent passwd acme-lb >/dev/null || listed user acme-lb
    for webroot in $(webroots); do
      make_folder "$(dirname -- "$webroot")"
      [ -e "$webroot" ] || listed webroot "$webroot"
    done
    [ -e "$state" ] || listed state "$state"
    choose_units
  fi
  # A later run compares the digests to find out which files have been changed.
  sed -n 's/^\(file\|config\) //p' "$work/list" | while read -r file; do
    if [ "$file" = "$prefix/bin/acme-lb" ]; then continue; fi
    new=$(beside "$file" new)
    [ -e "$new" ] || new=$file
    if [ -e "$new" ]; then printf 'digest %s %s\n' "$(digest_of "$new")" "$file"; fi
  done >"$work/digests"
  if [ -e "$list" ]; then cat -- "$list"; fi >"$work/old-list"
  grep -hv '^digest ' "$work/old-list" "$work/list" | awk '!seen[$0]++' >"$work/whole-list"
  # If a file has two digests, the newer one counts.
  grep -h '^digest ' "$work/digests" "$work/old-list" | awk '!seen[$3]++' | sort -k 3 >>"$work/whole-list"
  place "$work/whole-list" "$list" 644
}

digest_of() {
  sha256sum <"$1" | cut -c 1-64
}

# is_changed FILE: succeeds when FILE differs from what an earlier run installed. The program itself
# is never counted as changed, and lists of older versions have no digests of files below the
# prefix.
is_changed() {
  [ "$1" != "$list" ] && [ "$1" != "$prefix/bin/acme-lb" ] || return 1
  known=''
  if [ -e "$list" ]; then known=$(awk -v file="$1" '$1 == "digest" && $3 == file { print $2 }' "$list"); fi
  if [ -z "$known" ] && grep -qxsF "file $1" "$list"; then
    case $1 in "$prefix"/*) return 1 ;; esac
  fi
  [ "$known" != "$(digest_of "$1")" ]
}

# keep_copy FILE: keeps a copy in the same directory, under a hidden name that programs which read
# such a directory ignore.
keep_copy() {
  copy=$(dirname -- "$1")/.$(basename -- "$1").old-$(date +%Y%m%d-%H%M%S)
  say "keep the old $1 as $copy"
  journal remove "$copy"
  cp -p -- "$1" "$copy"
}

# choose_units: sets $new_units. Units of earlier runs are left out, because the operator may have
# disabled one since.
choose_units() {
  new_units=''
  for unit in acme-lb.service acme-lb-check-expiry.timer; do
    if [ "$unit" != acme-lb.service ] && ! has_certificates; then
      say "the configuration names no certificates to watch: $unit is not enabled"
    elif ! grep -qxs "unit $unit" "$list"; then
      new_units="$new_units $unit"
      listed unit "$unit"
    fi
  done
}

# has_certificates: without configured certificates, the check would fail every hour.
has_certificates() {
  if [ -n "$program" ] && [ ! -e "$work/meaning" ]; then acme_lb check-config >"$work/meaning"; fi
  grep -qsx -e 'certificates:' -e '  sockets:' "$work/meaning"
}

# webroots: the webroots that systemd-tmpfiles has to create.
webroots() {
  if [ -e "$work/root/etc/tmpfiles.d/acme-lb.conf" ]; then
    sed -n 's/^d \([^" ]*\) .*/\1/p' "$work/root/etc/tmpfiles.d/acme-lb.conf"
  fi
}

# place SOURCE TARGET MODE [KIND]: writes a temporary file in the directory of TARGET, unless TARGET
# has the same content already.
place() {
  listed "${4-file}" "$2"
  if [ -d "$2" ]; then die "$2 is a directory"; fi
  refuse_shared "$(dirname -- "$2")"
  if cmp -s -- "$1" "$2" && [ "$(stat -c %a -- "$2")" = "$3" ]; then
    say "keep $2"
    return
  fi
  make_folder "$(dirname -- "$2")"
  if [ -e "$2" ]; then doing replace "$2"; else doing install "$2"; fi
  if [ -n "$dry" ]; then return; fi
  new=$(beside "$2" new)
  journal remove "$new"
  rm -f -- "$new"
  cp -- "$1" "$new"
  chmod -- "$3" "$new"
  printf '%s\n' "$2" >>"$work/new"
}

# place_output TARGET ARGUMENT...: installs what the program prints when run with the arguments.
place_output() {
  target=$1
  shift
  if [ -n "$program" ]; then
    acme_lb "$@" >"$work/output" || die "$binary is older than this install.sh: it cannot $*"
  fi
  place "$work/output" "$target" 644
}

# beside FILE WHAT: prints a hidden name in the directory of FILE, which programs that read such a
# directory ignore.
beside() {
  printf '%s/.%s.acme-lb-%s\n' "$(dirname -- "$1")" "$(basename -- "$1")" "$2"
}

make_folder() {
  if [ -d "$1" ] || grep -qxF "folder $1" "$work/list"; then return; fi
  make_folder "$(dirname -- "$1")"
  doing make "$1"
  listed folder "$1"
  if [ -n "$dry" ]; then return; fi
  mkdir -- "$1"
  journal rmdir "$1"
}

put_in_place() {
  while read -r file; do
    if [ -e "$file" ]; then
      if is_changed "$file"; then keep_copy "$file"; fi
      old=$(beside "$file" old)
      journal remove "$old"
      ln -f -- "$file" "$old" 2>/dev/null || cp -p -- "$file" "$old"
      journal restore "$file"
    else
      journal remove "$file"
    fi
    mv -f -- "$(beside "$file" new)" "$file"
  done <"$work/new"
  if [ -z "$dry" ]; then program=$prefix/bin/acme-lb; fi
}

set_up_units() {
  doing run 'systemd-sysusers and systemd-tmpfiles, for acme-lb.conf'
  if [ -z "$dry" ]; then
    getent group acme-challenge >/dev/null || journal group acme-challenge
    getent passwd acme-lb >/dev/null || journal user acme-lb
    systemd-sysusers /etc/sysusers.d/acme-lb.conf
    for webroot in $(webroots); do
      [ -e "$webroot" ] || journal rmdir "$webroot"
    done
    systemd-tmpfiles --create /etc/tmpfiles.d/acme-lb.conf
    if is_live; then systemctl daemon-reload; fi
  fi
  for unit in $new_units; do enable_unit "$unit"; done
}

# enable_unit UNIT: enables it for the next boot. The operator starts it the first time.
enable_unit() {
  doing enable "$1"
  if [ -n "$dry" ]; then return; fi
  journal disable "$1"
  systemctl enable --quiet "$1"
}

# warn_of_rights: warns first of all when the user acme-lb cannot read the configuration, for
# example after a umask of 077.
warn_of_rights() {
  for file in /etc/acme-lb /etc/acme-lb/config.yaml; do
    [ -e "$file" ] || continue
    case $(stat -c %a:%G -- "$file") in
      *[4-7]:* | *[4-7][0-7]:acme-lb) ;;
      *) say "$file has mode $(stat -c '%a and belongs to %U:%G' -- "$file"): the user acme-lb cannot read it" ;;
    esac
  done
}

# try_as_user: as the service's user, reads the configuration, unpacks the runtime and binds a low
# port. Sets $unfit to what that user cannot do, one line each.
try_as_user() {
  have setpriv || {
    say 'not checked whether the user acme-lb can run it: the program setpriv is missing'
    return
  }
  unpacked=/tmp/acme-lb-$(id -u acme-lb)
  [ ! -e "$unpacked" ] || unpacked=''
  install -d -m 700 -o acme-lb -g acme-lb "$runtime_cache/serve"
  if as_user check-config >"$work/tried" 2>&1; then
    sed -n 's/^# warning: /warning: /p' "$work/tried" | while read -r line; do say "$line"; done
    if grep -q '^AmbientCapabilities=CAP_NET_BIND_SERVICE' /etc/systemd/system/acme-lb.service; then
      try_to_bind
    fi
  else
    unfit="the user acme-lb cannot run it: $(first_line "$(cat "$work/tried")")"
    if ! as_user_run test -r /etc/acme-lb/config.yaml; then
      unfit="$unfit
let it read the file: chown root:acme-lb /etc/acme-lb /etc/acme-lb/config.yaml; chmod 750 /etc/acme-lb; chmod 640 /etc/acme-lb/config.yaml"
    fi
  fi
  [ -z "$unpacked" ] || rm -rf -- "$unpacked"
}

# as_user ARGUMENT...: runs acme-lb with the environment of its unit.
as_user() {
  as_user_run env -i PATH="$PATH" HOME=/ CACHE_DIRECTORY="$runtime_cache/serve" "$program" "$@"
}

as_user_run() {
  # shellcheck disable=SC2086 # words
  ${become-} setpriv --reuid=acme-lb --regid=acme-lb --clear-groups --no-new-privs ${capability-} "$@" </dev/null
}

# try_to_bind: binds port 80 of a loopback address that nothing else uses. The kernel checks the
# permission before it checks whether the port is free.
try_to_bind() {
  capability='--inh-caps=+net_bind_service --ambient-caps=+net_bind_service'
  # In the background, so that it can be killed.
  (become='exec' && as_user challenge-server --listen 127.31.80.1:80 --webroot /) >"$work/tried" 2>&1 &
  bound=$!
  tries=0
  while kill -0 "$bound" 2>/dev/null && ! grep -q event=listening "$work/tried" && [ $tries -lt 150 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill "$bound" 2>/dev/null || :
  wait "$bound" 2>/dev/null || :
  capability=''
  grep -q -e event=listening -e 'another process has the port' "$work/tried" ||
    unfit="the user acme-lb cannot open port 80: $(first_line "$(cat "$work/tried")")"
}

journal() {
  printf '%s %s\n' "$1" "$2" >>"$work/journal"
}

listed() {
  printf '%s %s\n' "$1" "$2" >>"$work/list"
}

# settle: from here on nothing is undone.
settle() {
  trap - EXIT HUP INT TERM
  changed=''
  if [ -s "$work/journal" ]; then changed=yes; fi
  sed -n 's/^restore //p' "$work/journal" | while read -r file; do
    rm -f -- "$(beside "$file" old)"
  done
  if [ -s "$work/new" ] && [ -n "$units" ] && [ -z "$unfit" ] && is_live; then
    say 'restart acme-lb.service, if it runs'
    systemctl try-restart acme-lb.service ||
      unfit='acme-lb.service does not start again; see: systemctl status acme-lb'
  fi
  if [ -n "$machine" ] && [ -z "$dry$unfit" ]; then sweep_runtimes; fi
  if [ -n "$changed$unfit" ]; then
    next_steps
  elif [ -z "$dry" ]; then
    say 'nothing to change'
  fi
  rm -rf -- "$work"
  [ -z "$unfit" ] || exit 1
}

# is_live: succeeds when systemd runs as init on this machine.
is_live() {
  [ -d /run/systemd/system ]
}

# sweep_runtimes: removes the runtimes that earlier versions have unpacked and that no process uses.
sweep_runtimes() {
  for old in "$runtime_cache"/carried-* "$runtime_cache"/serve/carried-*; do
    case ${old##*/carried-} in *[!0-9a-f]*) continue ;; esac
    if [ ! -f "$old/acme-lb" ] || head -c 16384 -- "$program" | grep -aqF "${old##*/carried-}" ||
      readlink /proc/[0-9]*/exe | grep -qxF "$old/acme-lb"; then continue; fi
    say "remove $old, which no acme-lb uses any more"
    rm -rf -- "$old"
  done
}

# take_back: undoes the steps of a run that failed or was interrupted.
take_back() {
  trap - EXIT HUP INT TERM
  if [ -s "$work/journal" ]; then say 'failed: the changes of this run are undone'; fi
  tac -- "$work/journal" | while read -r act what; do
    case $act in
      remove) rm -f -- "$what" ;;
      restore) restore "$what" ;;
      rmdir) [ ! -d "$what" ] || rmdir -- "$what" ;;
      empty) rm -rf -- "$what" ;;
      disable) stop_unit "$what" ;;
      user) userdel "$what" ;;
      group) groupdel "$what" ;;
    esac || say "could not undo: $act $what"
  done
  if [ -n "$units" ] && is_live; then systemctl daemon-reload; fi
  rm -rf -- "$work"
}

# restore FILE: mv refuses to rename a file to another hard link of itself, which both names are
# until the new file is in place.
restore() {
  old=$(beside "$1" old)
  if [ "$(stat -c %i -- "$old")" = "$(stat -c %i -- "$1")" ]; then
    rm -f -- "$old"
  else
    mv -f -- "$old" "$1"
  fi
}

# next_steps: prints the remaining steps, as far as this script can detect them.
next_steps() {
  if [ -n "$unfit" ]; then
    printf '\nacme-lb is installed, but its service would not work:\n'
    printf '%s\n' "$unfit" | sed 's/^/  /'
    printf 'Then run this again.\n'
    return
  fi
  printf '\nacme-lb is installed. Next:\n'
  case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) printf '  put %s on the PATH\n' "$prefix/bin" ;;
  esac
  if [ -z "$units" ]; then
    printf '  acme-lb check-config\n  acme-lb serve\n'
    return
  fi
  if ! grep -qs '^[^#]' /etc/acme-lb/config.yaml; then
    printf '  edit /etc/acme-lb/config.yaml: the peers, and the certificates to watch\n'
    printf '  acme-lb check-config\n'
  fi
  if is_running acme-lb.service; then
    printf '  acme-lb self-test    (acme-lb.service runs, with this version)\n'
  else
    printf '  systemctl start acme-lb    (port 80 must be free)\n'
    printf '  acme-lb self-test\n'
  fi
  if ! has_certificates; then
    printf '  once the configuration names certificates, run this again: it enables their hourly check\n'
  elif ! is_running acme-lb-check-expiry.timer; then
    printf '  systemctl start acme-lb-check-expiry.timer\n'
  fi
}

is_running() {
  is_live && systemctl is-active --quiet "$1"
}

# ---- Uninstalling: removes what is on the list, in reverse order, and the folders that are then
# empty.

uninstall_program() {
  [ -f "$list" ] || die "there is no $list: nothing is installed there, or it was installed with another --prefix"
  if grep -q '^cache ' "$list" && [ "$(id -u)" -ne 0 ]; then
    die 'root has installed this: run this as root'
  fi
  if [ "$(id -u)" -eq 0 ] && ! only_roots "$list"; then
    die "$stranger can be changed by users other than root, who could have put anything on $list: run this as its owner"
  fi
  work=$(mktemp)
  trap 'rm -f -- "$work"' EXIT
  kept=''
  foreign=''
  if another_runs; then foreign=$running; fi
  # All lines are checked before anything is removed. grep completes a last line without a newline.
  grep -a . -- "$list" | tac | while read -r kind what; do
    if is_of_this "$kind" "$what"; then printf '%s %s\n' "$kind" "$what"; fi
  done >"$work"
  while read -r kind what <&3; do
    case $kind in
      folder | digest) ;;
      unit) stop_unit "$what" ;;
      webroot) if may_remove "$what"; then take_away "$what"; else kept=acme-challenge; fi ;;
      config | state) if may_remove "$what"; then take_away "$what"; fi ;;
      group | user) remove_account "$kind" "$what" ;;
      file) take_file "$what" ;;
      cache) take_cache ;;
    esac
  done 3<"$work"
  if grep -q '^unit ' "$work" && [ -z "$dry" ] && is_live; then
    systemctl daemon-reload
  fi
  take_file "$list"
  sed -n 's/^folder //p' "$work" | while read -r folder; do
    if [ -n "$dry" ]; then
      doing remove "$folder, if it is empty"
    elif [ -d "$folder" ]; then
      rmdir -- "$folder" 2>/dev/null || say "keep $folder, which is not empty"
    fi
  done
  name_callers
}

# is_of_this KIND WHAT: succeeds when an installation with this prefix can have made it. Units, user
# and configuration exist once on a machine, and belong to the prefix whose program the units run.
is_of_this() {
  case "$1 $2" in
    *' '*/../* | *' '*/..) ;;
    "file $prefix/"* | "folder $prefix" | "folder $prefix/"* | "digest "*) return ;;
    'config /etc/acme-lb/config.yaml' | 'cache /var/cache/acme-lb' | 'state /var/lib/acme-lb' | 'group acme-challenge' | \
      'user acme-lb' | 'unit acme-lb.service' | 'unit acme-lb-check-expiry.timer' | 'webroot /'* | \
      'folder /'*)
      is_ours "$2"
      return
      ;;
    'file /etc/'*)
      for file in $unit_files; do
        if [ "$2" = "$file" ]; then
          is_ours "$2"
          return
        fi
      done
      ;;
    *) die "$list: unknown line: $1 $2" ;;
  esac
  say "keep $2, which was not installed with this prefix"
  return 1
}

is_ours() {
  [ -n "$foreign" ] || return 0
  say "keep $1: the units run $foreign"
  return 1
}

# take_file FILE: removes FILE; if somebody has changed it, a copy is kept in the same directory.
take_file() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  if [ ! -L "$1" ] && [ -d "$1" ]; then
    say "keep $1, which is a directory"
    return
  fi
  if [ "$(id -u)" -eq 0 ] && ! only_roots "$(dirname -- "$1")"; then
    say "keep $1: $stranger can be changed by users other than root"
    return
  fi
  doing remove "$1"
  if [ -n "$dry" ]; then return; fi
  if [ -f "$1" ] && is_changed "$1"; then
    copy=$(dirname -- "$1")/.$(basename -- "$1").old-$(date +%Y%m%d-%H%M%S)
    say "it has been changed since: keep the changed file as $copy"
    mv -- "$1" "$copy"
  else
    rm -f -- "$1"
  fi
}

take_away() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  doing remove "$1"
  [ -n "$dry" ] || rm -rf -- "$1"
}

# take_cache: removes what the program has unpacked, but no files of others.
take_cache() {
  [ -d "$runtime_cache" ] || return 0
  doing remove "$runtime_cache"
  if [ -n "$dry" ]; then return; fi
  rm -rf -- "$runtime_cache"/carried-* "$runtime_cache"/.acme-lb-unpack-* "$runtime_cache/serve"
  rmdir -- "$runtime_cache" 2>/dev/null || say "keep $runtime_cache, which is not empty"
}

# name_callers: names the hooks and timers, in their usual places, that call the program.
name_callers() {
  if [ "$(id -u)" -ne 0 ] || [ -n "$dry" ]; then return; fi
  name='(^|[^A-Za-z0-9_.-])acme-lb'
  if [ -n "$foreign" ]; then name="$prefix/bin/acme-lb"; fi
  for place in /etc/letsencrypt /etc/acme /usr/lib/acme/hooks /usr/libexec/acme/hooks \
    /etc/dehydrated /etc/lego /var/lib/lego /root/.acme.sh /etc/acme.sh /etc/haproxy /etc/keepalived \
    /etc/systemd/system /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/crontab /var/spool/cron \
    /etc/nagios /etc/icinga2 /etc/default; do
    [ ! -e "$place" ] || grep -rlIsE -e "$name"'([^A-Za-z0-9_.-]|$)' -- "$place" || :
  done | while read -r caller; do
    case $caller in *.old-* | */.*.acme-lb-*) continue ;; esac
    say "still calls acme-lb: $caller"
  done
}

# may_remove PATH: asks before something is removed that may hold an operator's own work.
may_remove() {
  [ -e "$1" ] || return 0
  if [ -n "$dry" ]; then
    say "would ask before removing $1"
    return 1
  fi
  answer=''
  if [ -t 0 ]; then
    printf 'install.sh: remove %s? [y/N] ' "$1" >&2
    read -r answer || :
  fi
  case $answer in [Yy] | [Yy][Ee][Ss]) return ;; esac
  say "keep $1"
  return 1
}

stop_unit() {
  doing 'stop and disable' "$1"
  [ -z "$dry" ] || return 0
  if is_live; then systemctl stop "$1"; fi
  systemctl disable --quiet "$1"
}

# remove_account group|user NAME: keeps the group of a webroot that is kept.
remove_account() {
  case $1 in
    user) getent passwd "$2" >/dev/null || return 0 ;;
    group) getent group "$2" >/dev/null || return 0 ;;
  esac
  if [ "$2" = "$kept" ]; then
    say "keep the group $2"
    return
  fi
  doing "remove the $1" "$2"
  [ -n "$dry" ] || "${1}del" "$2" || say "keep the $1 $2: ${1}del cannot remove it now"
}

# ---- The modes that need the checkout, and the command line.

# read_parts: loads the parts that --binary does not need.
read_parts() {
  [ -e "$checkout/install/deno.sh" ] || die "$checkout is not a checkout of acme-lb"
  # shellcheck source=install/deno.sh
  . "$checkout/install/deno.sh"
  # shellcheck source=install/debian.sh
  . "$checkout/install/debian.sh"
}

choose() {
  [ -z "$mode" ] || [ "$mode" = "$1" ] || refuse "$mode and $1 cannot be given together"
  mode=$1
}

# only_with FLAG VALUE MODE...: refuses FLAG in other modes.
only_with() {
  [ -n "$2" ] || return 0
  flag=$1
  shift 2
  for allowed; do
    [ "$mode" != "$allowed" ] || return 0
  done
  refuse "$flag is only allowed with $1"
}

checkout=$(cd -- "$(dirname -- "$0")" && pwd)
mode='' keep='' prefix='' binary='' no_systemd='' dry=''
while [ $# -gt 0 ]; do
  case $1 in
    --install | --uninstall | --build | --demo | --test) choose "$1" ;;
    --keep) keep=--keep ;;
    --no-systemd) no_systemd=yes ;;
    --dry-run) dry=yes ;;
    --prefix | --binary)
      [ -n "${2-}" ] || refuse "$1 needs a value"
      if [ "$1" = --prefix ]; then prefix=$2; else binary=$2; fi
      shift
      ;;
    --prefix=?* | --binary=?*)
      flag=${1%%=*} value=${1#*=}
      shift
      set -- "$flag" "$value" "$@"
      continue
      ;;
    --help | -h) usage && exit ;;
    *) refuse "unknown argument: $1" ;;
  esac
  shift
done
if [ -z "$mode" ] && [ -n "$prefix$binary$no_systemd$dry" ]; then mode=--install; fi
only_with --keep "$keep" --demo
only_with --binary "$binary" --install
only_with --no-systemd "$no_systemd" --install
only_with --prefix "$prefix" --install --uninstall
only_with --dry-run "$dry" --install --uninstall

prefix=${prefix:-/usr/local}
case $mode in
  # One spelling, because --uninstall compares it with that of the installation.
  --install | --uninstall) prefix=$(realpath --canonicalize-missing --no-symlinks -- "$prefix") ;;
esac
case $prefix in
  / | *[!A-Za-z0-9/._+:@-]*)
    refuse '--prefix: expected a directory named with letters, digits and . _ + : @ -'
    ;;
esac
case $binary in '' | /*) ;; *) binary=$PWD/$binary ;; esac
# The directories that --uninstall has to remove: where root unpacks the runtime for all users, and
# the StateDirectory= of the server's unit.
list=$prefix/share/acme-lb/installed
runtime_cache=/var/cache/acme-lb
state=/var/lib/acme-lb

case $mode in
  --install) install_program ;;
  --uninstall) uninstall_program ;;
  --build)
    dry=''
    build
    ;;
  --demo)
    read_parts
    set_up
    cd -- "$checkout"
    exec "$deno" run --quiet -A examples/demo.ts $keep
    ;;
  --test)
    read_parts
    set_up
    # Not in the list of debian.sh, because releases in which no browser is tested may not have it.
    test_packages="$test_packages chromium"
    prepare_tests
    choose_cache
    export ACME_LB_BUILD_CACHE="$cache"
    cd -- "$checkout"
    exec "$deno" run --quiet -A tests/run.ts
    ;;
  *) usage ;;
esac
