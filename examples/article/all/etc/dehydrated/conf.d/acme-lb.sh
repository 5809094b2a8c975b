# dehydrated on every balancer, by: acme-lb render dehydrated
WELLKNOWN=/run/acme/acme-challenge
HOOK=/etc/acme-lb/hooks/dehydrated
# Days; at two thirds of the lifetime: 30 for 90 days, 15 for 45.
RENEW_DAYS=30
