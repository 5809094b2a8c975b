#!/bin/sh
# acme.sh: name this file (or the command below) once: acme.sh --install-cert -d NAME --reloadcmd
# FILE; acme.sh remembers it for the renewals.
exec acme-lb assemble-pem --hook acme.sh --out-dir /etc/haproxy/certs \
  --haproxy-socket /run/haproxy/admin.sock
