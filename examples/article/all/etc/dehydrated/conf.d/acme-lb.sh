# dehydrated on every balancer, by: acme-lb render dehydrated
WELLKNOWN=/run/acme/acme-challenge
HOOK=/etc/acme-lb/hooks/dehydrated

# Renewal is due with a third of the lifetime left, half of it below ten days, by the certificate with
# the shortest one. Fixed days would renew certificates of six days at every run.
RENEW_DAYS=$(
  for certificate in "${BASEDIR:-/var/lib/dehydrated}"/certs/*/cert.pem; do
    start=$(openssl x509 -noout -startdate -in "$certificate" 2>/dev/null | cut -d = -f 2)
    end=$(openssl x509 -noout -enddate -in "$certificate" 2>/dev/null | cut -d = -f 2)
    [ -n "$end" ] || continue
    days=$((($(date -d "$end" +%s) - $(date -d "$start" +%s)) / 86400))
    if [ "$days" -lt 10 ]; then echo $((days / 2)); else echo $((days / 3)); fi
  done | sort -n | sed -n 1p
) || true
RENEW_DAYS=${RENEW_DAYS:-30}
