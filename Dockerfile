# The image of all stages, of `netops serve` and of the real-time function. Built by `make image`.
# The same inputs give the same packages: pyproject.toml says which, constraints.txt in which versions.
# BASE may name a digest (python@sha256:…), for a base that never changes. EXTRA is a package that only some clusters
# need, such as the client of their object store: mlrun[s3]==1.12.1.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ARG UV=0.13.9
RUN pip install --no-cache-dir "uv==${UV}" && python -m venv /opt/venv
COPY pyproject.toml constraints.txt /tmp/
RUN uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python \
        -r /tmp/pyproject.toml -c /tmp/constraints.txt
ARG EXTRA=
RUN if [ -n "${EXTRA}" ]; then \
        uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python "${EXTRA}"; \
    fi

FROM ${BASE}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/netops \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/opt/kernels \
    NETOPS_HOME=/state
RUN groupadd --gid 10001 netops && useradd --uid 10001 --gid netops --create-home netops \
    && mkdir -p /state /opt/kernels && chown netops:netops /state /opt/kernels
COPY --from=packages /opt/venv /opt/venv
WORKDIR /opt/netops
COPY pyproject.toml project.yaml project_setup.py ./
COPY configurations ./configurations
COPY components ./components
COPY pipeline ./pipeline
COPY netops ./netops
RUN printf '#!/bin/sh\nexec python -m netops.cli.main "$@"\n' > /usr/local/bin/netops && chmod 755 /usr/local/bin/netops
USER 10001:10001
RUN python -m netops.orchestration.compiled
VOLUME /state
# No entry point: MLRun and Nuclio bring the command of a stage or a function.
CMD ["netops", "--help"]
