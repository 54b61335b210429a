#!/bin/bash
# Gives Kibana its password and Fluentd a user that may write logs and nothing else. Safe to run again.
set -euo pipefail
server=http://elasticsearch.logging-data.svc:9200
call() {
  curl --silent --show-error --fail --user "elastic:${ELASTIC_PASSWORD}" --header 'Content-Type: application/json' "$@"
}
until call "$server/_cluster/health?wait_for_status=yellow&timeout=5s" > /dev/null; do sleep 3; done
call -X POST "$server/_security/user/kibana_system/_password" --data "{\"password\": \"${KIBANA_PASSWORD}\"}"
call -X PUT "$server/_security/role/fluentd" --data '{
  "cluster": ["monitor", "manage_index_templates"],
  "indices": [{"names": ["logs-*"], "privileges": ["create_index", "create_doc", "index", "view_index_metadata"]}]
}'
call -X PUT "$server/_security/user/fluentd" --data "{\"password\": \"${FLUENTD_PASSWORD}\", \"roles\": [\"fluentd\"]}"
