#!/bin/sh
# acme.sh on every balancer, by: acme-lb render acme.sh
# Run once, as the user whose cron job renews (acme.sh --install-cronjob). That user must be able
# to write to the webroot, to HAProxy's directory, and to its runtime socket.
set -eu
acme.sh --issue --server letsencrypt -d service.example -w /run/acme/acme-challenge
acme.sh --install-cert -d service.example --reloadcmd /etc/acme-lb/hooks/acme.sh
