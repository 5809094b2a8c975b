#!/bin/sh
# acme.sh on every balancer, by: acme-lb render acme.sh
# It orders, or renews when that is due, and then installs: what is installed already is left alone,
# and what an earlier run could not install is made good. The timer of systemd runs it twice a day, in
# the place of acme.sh's own cron job.
set -eu
# acme.sh keeps accounts and certificates there; systemd sets it for no unit of root.
export HOME="${HOME:-/root}"
certificate=$HOME/.acme.sh/service.example_ecc/service.example.cer

# acme.sh without ARI renews after fixed days, of which certificates of six days have not as many: a
# third of the lifetime left is due, half of it below ten days.
force=
if [ -e "$certificate" ]; then
  start=$(date -d "$(openssl x509 -noout -startdate -in "$certificate" | cut -d = -f 2)" +%s)
  end=$(date -d "$(openssl x509 -noout -enddate -in "$certificate" | cut -d = -f 2)" +%s)
  if [ $((end - start)) -lt 864000 ]; then share=2; else share=3; fi
  if [ $(((end - $(date +%s)) * share)) -lt $((end - start)) ]; then force=--force; fi
fi
# Exit code 2 means that nothing is due.
acme.sh --issue $force --server letsencrypt -d service.example -w /run/acme/acme-challenge ||
  [ $? = 2 ]
acme.sh --install-cert -d service.example --reloadcmd /etc/acme-lb/hooks/acme.sh
