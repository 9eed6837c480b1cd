# The exporter in a small image: it runs as a user without rights, and holds nothing that installs or builds.
#
#   docker build --tag qoder-work-exporter .
#   docker run --rm --publish 10190:10190 --env QODER_PAT qoder-work-exporter
#   docker run --rm --publish 10190:10190 qoder-work-exporter demo

FROM python:3.13-slim AS build
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /build/
RUN python -m pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: --require-hashes \
      --requirement /build/requirements.txt
COPY exporter /app/exporter
RUN python -m compileall -q /app

FROM python:3.13-slim
LABEL org.opencontainers.image.title="qoder-work-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the work queues of Qoder Cloud Agents' self-hosted environments" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN python -m pip uninstall --yes --root-user-action=ignore pip
COPY LICENSE /app/
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH="/opt/venv/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 10190
# Where another address is served, give --health-cmd another one too.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python", "-c", "import http.client, sys; web = http.client.HTTPConnection('127.0.0.1', 10190, timeout=4); web.request('GET', '/-/healthy'); sys.exit(web.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m", "exporter"]
