# Three images of one source, each of what it needs and no more:
#
#   docker build .                          a relay, a node, a witness: nothing in it could read what it carries
#   docker build --target people .          clients, demo enterprises, the proof
#   docker build --target balancer .        HAProxy in front of nodes
#
# What is installed is pinned and hashed (requirements/*.txt); bytecode is made with hashes instead of times.
FROM python:3.12-slim AS base
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin blindrelay \
    && install -d -o blindrelay -g blindrelay -m 0700 /data
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

FROM base AS build
WORKDIR /src
RUN python -m venv /app
COPY requirements/cluster.txt requirements/cluster.txt
RUN pip install --no-cache-dir --no-compile --disable-pip-version-check --require-hashes -r requirements/cluster.txt
COPY . .
RUN pip install --no-cache-dir --no-compile --disable-pip-version-check --no-deps --no-build-isolation . \
    && rm -rf /app/lib/python3*/site-packages/blindrelay/clients \
    && pip uninstall --yes --quiet hatchling editables \
    && python -m compileall -q --invalidation-mode unchecked-hash /app/lib \
    && pip uninstall --yes --quiet pip

FROM base AS build-people
WORKDIR /src
RUN python -m venv /app
COPY requirements/run.txt requirements/run.txt
RUN pip install --no-cache-dir --no-compile --disable-pip-version-check --require-hashes -r requirements/run.txt
COPY . .
RUN pip install --no-cache-dir --no-compile --disable-pip-version-check --no-deps --no-build-isolation . \
    && python -m compileall -q --invalidation-mode unchecked-hash /app/lib

FROM base AS people
COPY --from=build-people /app /app
USER blindrelay
ENTRYPOINT ["blindrelay"]
CMD ["--help"]

FROM python:3.12-slim AS balancer
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends haproxy \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/haproxy/haproxy.cfg /etc/haproxy/haproxy.cfg
USER haproxy
EXPOSE 8883 8884 8885
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --start-interval=1s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8404/healthz', timeout=4)"]
STOPSIGNAL SIGUSR1
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]

FROM base AS relay
COPY --from=build /app /app
# Where volumes go: what is new there belongs to who writes it.
RUN for place in witness secrets/identity secrets/postgres secrets/migrate secrets/node secrets/nats secrets/people secrets/logs; do \
        install -d -o blindrelay -g blindrelay -m 0755 "/$place"; done
USER blindrelay
VOLUME /data
EXPOSE 8883 8884 8885 8886
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8886/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["blindrelay"]
CMD ["up", "--host", "0.0.0.0", "--port", "8883", "--data-dir", "/data"]
