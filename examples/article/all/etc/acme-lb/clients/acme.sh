#!/bin/sh
# acme.sh on every balancer, by: acme-lb render acme.sh
# It orders, or renews when that is due, and then installs: what is installed already is left alone,
# and what an earlier run could not install is made good. The timer of systemd runs it twice a day, in
# the place of acme.sh's own cron job.
set -eu
# Exit code 2 means that nothing is due.
acme.sh --issue --server letsencrypt -d service.example -w /run/acme/acme-challenge ||
  [ $? = 2 ]
acme.sh --install-cert -d service.example --reloadcmd /etc/acme-lb/hooks/acme.sh
