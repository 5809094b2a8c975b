# dehydrated: copy to /etc/dehydrated/conf.d/, which Debian's configuration reads.
WELLKNOWN=/run/acme/acme-challenge
HOOK=/etc/acme-lb/hooks/dehydrated
CONTACT_EMAIL=ops@service.example
# Days; at two thirds of the lifetime: 30 for 90 days, 15 for 45.
RENEW_DAYS=30
