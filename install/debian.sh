# shellcheck shell=sh
# Debian packages: what the end-to-end tests run against, installed without starting any service.
# Read by install.sh. Only for root on Debian; elsewhere those tests are skipped.

# What the end-to-end tests run against; all in main of Debian 12 and later.
test_packages='acl acmetool ca-certificates certbot curl debootstrap dehydrated faketime fish groff-base
haproxy iproute2 keepalived lego man-db mandoc nftables nghttp2-client nginx-light openssl pebble procps
prometheus shellcheck slowhttptest strace wget wrk zsh'
# The same, where the release has them: acme.sh is in Debian 13 and later.
test_packages_if_any='acme.sh'
# Services and timers of those packages, which no test needs.
test_units='haproxy.service keepalived.service nginx.service prometheus.service acmetool.timer
certbot.timer'

# may_install: root, on Debian or what derives from it.
may_install() {
  [ "$(id -u)" -eq 0 ] && [ -e /etc/debian_version ] && have apt-get
}

install_packages() {
  apt_get -qq update && apt_get -qq install -y --no-install-recommends "$@" >/dev/null
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# prepare_tests: installs what the end-to-end tests need, or says which of them will be skipped.
prepare_tests() {
  find_missing
  [ -n "$missing" ] || return 0
  if ! may_install; then
    say "tests that need these Debian packages, and root, are skipped:$missing"
    return
  fi
  say "installing for the end-to-end tests:$missing"
  hold_services
  apt_get -qq update || :
  find_missing
  # shellcheck disable=SC2086 # a list of words
  install_packages $missing ||
    for package in $missing; do
      apt_get -qq install -y --no-install-recommends "$package" >/dev/null ||
        say "tests that need the Debian package $package are skipped: it cannot be installed"
    done
  release_services
}

# find_missing: sets $missing to what is to be installed.
find_missing() {
  missing=
  for package in $test_packages; do
    is_installed "$package" || missing="$missing $package"
  done
  for package in $test_packages_if_any; do
    is_installed "$package" || ! in_release "$package" || missing="$missing $package"
  done
}

in_release() {
  have apt-cache && [ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]
}

is_installed() {
  have dpkg-query && case $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) in
    installed) ;;
    *) return 1 ;;
  esac
}

# hold_services: keeps new packages from starting their services. Debian's own switch for that is
# policy-rc.d; one that is there and says otherwise is put aside and comes back, come what may.
policy=/usr/sbin/policy-rc.d
hold_services() {
  idle=
  for unit in $test_units; do
    systemctl is-enabled --quiet "$unit" 2>/dev/null || idle="$idle $unit"
  done
  trap release_services EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  answer=0
  if [ -x "$policy" ]; then "$policy" haproxy start >/dev/null 2>&1 || answer=$?; fi
  [ "$answer" -ne 101 ] || return 0
  if [ -e "$policy" ]; then mv -- "$policy" "$policy.before-acme-lb"; fi
  printf '#!/bin/sh\n# acme-lb install.sh, for as long as it installs packages\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

release_services() {
  if grep -qs '^# acme-lb install.sh' "$policy"; then rm -f -- "$policy"; fi
  if [ -e "$policy.before-acme-lb" ]; then mv -- "$policy.before-acme-lb" "$policy"; fi
  if [ -d /run/systemd/system ]; then
    # shellcheck disable=SC2086 # a list of words
    systemctl disable --now --quiet $idle 2>/dev/null || :
  fi
  trap - EXIT HUP INT TERM
}
