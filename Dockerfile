# A relay, and nothing that could read what it carries: the client's packages (vodozemac, aiomqtt) are not in this image.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements/minimal.txt requirements/minimal.txt
RUN python -m venv /opt/blindrelay \
    && /opt/blindrelay/bin/pip install --no-cache-dir --require-hashes -r requirements/minimal.txt
COPY . .
RUN /opt/blindrelay/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && rm -rf /opt/blindrelay/lib/python3*/site-packages/blindrelay/clients \
    && /opt/blindrelay/bin/pip uninstall --yes hatchling editables pip

FROM python:3.12-slim
COPY --from=build /opt/blindrelay /opt/blindrelay
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin blindrelay \
    && install -d -o blindrelay -g blindrelay -m 0700 /data
USER blindrelay
VOLUME /data
EXPOSE 8883
ENV PATH=/opt/blindrelay/bin:$PATH PYTHONUNBUFFERED=1
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --start-interval=1s \
    CMD ["blindrelay", "up", "--check", "--data-dir", "/data"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["blindrelay"]
CMD ["up", "--host", "0.0.0.0", "--port", "8883", "--data-dir", "/data"]
