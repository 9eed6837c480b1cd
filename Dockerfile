# The exporter in a small image: it runs as a user without rights on a read-only root, and holds nothing that installs
# or builds.
#
#   docker build --tag qoder-work-exporter .
#   docker run --rm --publish 10190:10190 --env QODER_PAT qoder-work-exporter
#   docker run --rm --publish 10190:10190 qoder-work-exporter demo
#
# Everything in it is Python, so it builds for every platform that the base and the locked wheels have:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg REVISION="$(git rev-parse HEAD)" .

ARG BASE=pinned

# The tag says what the digest is. Dependabot moves both; it sees no variables, so this line names them.
FROM docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS pinned

FROM ${BASE} AS build
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /build/
RUN python -m pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: --require-hashes \
      --requirement /build/requirements.txt
COPY exporter /app/exporter
# The exporter serves them; in a checkout they are linked to from the package.
COPY docs/runbooks /app/docs/runbooks
ARG REVISION=unknown
RUN printf '%s\n' "$REVISION" > /app/exporter/revision.txt && python -m compileall -q /app
# Where a checkpoint may be kept: a volume mounted there takes over its owner.
RUN python -c "import os; os.mkdir('/state')"

FROM ${BASE}
RUN python -m pip uninstall --yes --root-user-action=ignore pip
COPY LICENSE /app/
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY --from=build --chown=10001:10001 /state /var/lib/qoder-work-exporter
ENV PATH="/opt/venv/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 10190
# It asks the address that QODER_EXPORTER_WEB_LISTEN_ADDRESS gives the server. Where a flag gives another one, repeat it:
# --health-cmd "python -m exporter healthcheck --web.listen-address=:9999".
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-m", "exporter", "healthcheck"]
ENTRYPOINT ["python", "-m", "exporter"]

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="qoder-work-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the work queues of Qoder Cloud Agents' self-hosted environments" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
