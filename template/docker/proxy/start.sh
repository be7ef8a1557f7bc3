# nginx needs the address of a resolver to notice that replicas come and go.
set -eu
sed -n 's/^nameserver \([0-9.]*\)$/resolver \1 valid=1s ipv6=off;/p' /etc/resolv.conf | head -n 1 > /tmp/resolver.conf
exec nginx -e stderr
