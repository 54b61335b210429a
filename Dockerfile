# The agent's image; it runs every other command too. docs/guides/agent.md tells how to build and install it.
# PYTHON may name a mirror, or the same image by digest.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# Every package comes from a lock file and is checked against its hashes, those that build the wheel as well.
COPY requirements/ requirements/
RUN python -m venv --without-pip /opt/reconciler \
    && pip --python /opt/reconciler/bin/python install --require-hashes --requirement requirements/runtime.lock
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --requirement requirements/dev.lock
COPY pyproject.toml README.md LICENSE ./
COPY reconciler/ reconciler/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/reconciler/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reconciler" \
      org.opencontainers.image.description="GitOps reconciliation for container platforms" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The account is in /etc/passwd because ssh asks there who it is; its home is the one folder that is always writable.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 reconciler \
    && useradd --uid 65532 --gid 65532 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin reconciler
COPY --from=build /opt/reconciler /opt/reconciler
ENV PATH=/opt/reconciler/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENTRYPOINT ["reconciler"]
