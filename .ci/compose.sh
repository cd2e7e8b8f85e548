#!/usr/bin/env bash
# Builds and runs docker-compose.yml, and tests what runs: `.ci/compose.sh`, or `.ci/compose.sh -k drain` for a part of the tests.
# `.ci/compose.sh prepare` makes the engine and its images alone, and leaves it running; `.ci/compose.sh stop` ends it.
# On a Docker engine, if one answers. If not: on one that the folder $BLINDRELAY_COMPOSE_LAB brings (../shared/compose-lab by
# default), if it is there. Else there is nothing to run it on, which is a failure where CI is set.
set -euo pipefail
cd "$(dirname "$0")/.."
lab=${BLINDRELAY_COMPOSE_LAB:-../shared/compose-lab}
python=${PYTHON:-.venv/bin/python}

started=
if ! docker info >/dev/null 2>&1 || ! docker compose version >/dev/null 2>&1; then
    if [ -x "$lab/prepare_images.sh" ]; then
        echo "no Docker engine answers: taking the one of $lab"
        "$lab/engine.sh" status || started=yes
        if [ "${1:-}" = stop ]; then "$lab/engine.sh" stop; exit; fi
        "$lab/prepare_images.sh"
        eval "$("$lab/engine.sh" env)"
    elif [ -n "${CI:-}" ]; then
        echo "neither a Docker engine nor $lab: the containers cannot be tried" >&2
        exit 1
    else
        echo "neither a Docker engine nor $lab: the containers are not tried"
        exit 0
    fi
fi

case "${1:-}" in prepare | stop) exit ;; esac

export COMPOSE_PROJECT_NAME=blindrelay-ci-$$ BLINDRELAY_COMPOSE=1
# Ports of this machine that are free.
read -r RELAY_PORT DESK_PORT LOGS_PORT < <(python3 - <<'PY'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(one.getsockname()[1] for one in sockets))
PY
)
export RELAY_PORT DESK_PORT LOGS_PORT

finish() {
    local status=$?
    if ((status)); then docker compose --ansi never logs --no-color --tail 40 || true; fi
    docker compose --ansi never --profile demo down --volumes --remove-orphans >/dev/null 2>&1 || true
    if [ -n "$started" ]; then "$lab/engine.sh" stop || true; fi
    exit "$status"
}
trap finish EXIT

docker compose --ansi never --progress quiet --profile demo config --quiet
docker compose --ansi never --progress plain build relay balancer demo >"${TMPDIR:-/tmp}/$COMPOSE_PROJECT_NAME.log" 2>&1 \
    || { tail -n 40 "${TMPDIR:-/tmp}/$COMPOSE_PROJECT_NAME.log"; exit 1; }
rm -f "${TMPDIR:-/tmp}/$COMPOSE_PROJECT_NAME.log"
docker images --format '  {{.Repository}} {{.Size}}' | grep blindrelay
docker compose --ansi never --progress quiet up --detach --wait --scale relay=3
"$python" -m pytest -n 0 tests/compose "$@"
