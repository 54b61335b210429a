#!/bin/bash
# Gives Kibana its password, Fluentd a user that may write logs and nothing else, and logs an end. Safe to run again.
set -euo pipefail
server=https://elasticsearch.logging-data.svc:9200
call() {
  curl --silent --show-error --fail --cacert /tls/ca.crt --user "elastic:${ELASTIC_PASSWORD}" \
    --header 'Content-Type: application/json' "$@"
}
until call "$server/_cluster/health?wait_for_status=yellow&timeout=5s" > /dev/null; do sleep 3; done
call -X POST "$server/_security/user/kibana_system/_password" --data "{\"password\": \"${KIBANA_PASSWORD}\"}"
call -X PUT "$server/_security/role/fluentd" --data '{
  "cluster": ["monitor", "manage_index_templates"],
  "indices": [{"names": ["logs-*"], "privileges": ["create_index", "create_doc", "index", "view_index_metadata"]}]
}'
call -X PUT "$server/_security/user/fluentd" --data "{\"password\": \"${FLUENTD_PASSWORD}\", \"roles\": [\"fluentd\"]}"
# An index is of one day. It is thrown away as a whole, which costs nothing.
call -X PUT "$server/_ilm/policy/platform-logs" --data "{\"policy\": {\"phases\": {
  \"hot\": {\"actions\": {\"set_priority\": {\"priority\": 100}}},
  \"warm\": {\"min_age\": \"2d\", \"actions\": {\"forcemerge\": {\"max_num_segments\": 1}, \"set_priority\": {\"priority\": 50}}},
  \"delete\": {\"min_age\": \"${LOG_RETENTION_DAYS}d\", \"actions\": {\"delete\": {}}}
}}}"
call -X PUT "$server/_index_template/platform-logs" --data "{
  \"index_patterns\": [\"logs-2*\"], \"priority\": 500,
  \"template\": {\"settings\": {
    \"index.lifecycle.name\": \"platform-logs\", \"index.number_of_shards\": 1,
    \"index.number_of_replicas\": ${LOG_REPLICAS}, \"index.codec\": \"best_compression\"
  }}
}"
