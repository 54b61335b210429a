#!/bin/sh
# What the published image does at its very first start: an organization, a bucket, a user and a token are made while
# nobody else is let in. Without DOCKER_INFLUXDB_INIT_MODE=setup, or where there is a database already, it only starts.
set -eu

quoted() {
    printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"
}

seconds() {
    case "$1" in
        *w) echo "$((${1%w} * 604800))" ;;
        *d) echo "$((${1%d} * 86400))" ;;
        *h) echo "$((${1%h} * 3600))" ;;
        0 | '') echo 0 ;;
        *) echo "DOCKER_INFLUXDB_INIT_RETENTION is $1, expected weeks, days or hours: 2w, 30d, 12h" >&2; return 1 ;;
    esac
}

setup() {
    retention=$(seconds "${DOCKER_INFLUXDB_INIT_RETENTION:-0}")
    influxd --http-bind-address=127.0.0.1:9999 &
    server=$!
    trap 'kill "$server"; rm -f "$INFLUXD_BOLT_PATH"' EXIT
    until wget -q -O /dev/null http://127.0.0.1:9999/health; do
        kill -0 "$server"
        sleep 1
    done
    wget -q -O /dev/null --header 'Content-Type: application/json' --post-data "{
        \"username\": $(quoted "$DOCKER_INFLUXDB_INIT_USERNAME"),
        \"password\": $(quoted "$DOCKER_INFLUXDB_INIT_PASSWORD"),
        \"token\": $(quoted "$DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"),
        \"org\": $(quoted "$DOCKER_INFLUXDB_INIT_ORG"),
        \"bucket\": $(quoted "$DOCKER_INFLUXDB_INIT_BUCKET"),
        \"retentionPeriodSeconds\": $retention
    }" http://127.0.0.1:9999/api/v2/setup
    trap - EXIT
    kill "$server"
    wait "$server" || true
}

if [ "${1:-influxd}" != influxd ]; then
    exec "$@"
fi
export INFLUXD_BOLT_PATH="${INFLUXD_BOLT_PATH:-/var/lib/influxdb2/influxd.bolt}"
if [ "${DOCKER_INFLUXDB_INIT_MODE:-}" = setup ] && [ ! -e "$INFLUXD_BOLT_PATH" ]; then
    setup
fi
shift "$(($# > 0 ? 1 : 0))"
exec influxd "$@"
