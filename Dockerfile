# Two images of one build (`make image`): `serve` for the server, the dashboard and the scheduler, and `stages`, the
# default, for every step of a pipeline. Packages are from pyproject.toml, versions from constraints.txt.
#   BASE    may name a digest (python@sha256:…), for a base that never changes
#   EXTRAS  extras of pyproject.toml that the cluster needs: s3, azure, gcs, redis, kafka
#   EXTRA   further packages, in versions that the constraints allow
#   GPU     1 installs the XGBoost that trains on a GPU, with NVIDIA's libraries
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ARG UV=0.13.9
RUN pip install --no-cache-dir "uv==${UV}"
WORKDIR /build
COPY pyproject.toml constraints.txt ./
COPY deploy/image/install.sh deploy/image/trim.sh ./

FROM packages AS serve-packages
ARG EXTRAS=
ARG EXTRA=
RUN sh install.sh serve

FROM packages AS stages-packages
ARG EXTRAS=
ARG EXTRA=
ARG GPU=
RUN sh install.sh stages

FROM ${BASE} AS project
COPY pyproject.toml project.yaml project_setup.py /opt/netops/
COPY configurations /opt/netops/configurations
COPY components /opt/netops/components
COPY pipeline /opt/netops/pipeline
COPY netops /opt/netops/netops
COPY tools /opt/netops/tools
COPY deploy/image /opt/netops/deploy/image
RUN python -m compileall -q /opt/netops

# Kernels are compiled for any processor of the architecture: the nodes need not be like the machine of the build.
FROM stages-packages AS kernels
ENV PYTHONPATH=/opt/netops NUMBA_CPU_NAME=generic NUMBA_CACHE_DIR=/opt/kernels
COPY --from=project /opt/netops /opt/netops
RUN /opt/venv/bin/python -m tools.compile_kernels

FROM ${BASE} AS runtime
# GitPython, which MLRun imports, needs git; the distribution's newest.
# hadolint ignore=DL3008
RUN printf 'path-exclude=/usr/share/%s/*\n' doc locale man > /etc/dpkg/dpkg.cfg.d/without-documents \
    && apt-get update && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/netops \
    PYTHONUNBUFFERED=1 \
    NUMBA_CPU_NAME=generic \
    NUMBA_CACHE_DIR=/opt/kernels \
    NETOPS_HOME=/state
RUN groupadd --gid 10001 netops && useradd --uid 10001 --gid netops --create-home netops \
    && install -d -o netops -g netops /state \
    && printf '#!/bin/sh\nexec python -m netops.cli.main "$@"\n' > /usr/local/bin/netops && chmod 755 /usr/local/bin/netops
# MLRun writes the code of a stage into the working directory.
WORKDIR /home/netops
VOLUME /state

# What changes seldom comes first: an edit of the project makes small layers.
FROM runtime AS serve
COPY --from=serve-packages /opt/venv /opt/venv
COPY --from=project /opt/netops /opt/netops
COPY --from=kernels /opt/kernels /opt/kernels
USER 10001:10001
RUN sh /opt/netops/deploy/image/check.sh
CMD ["netops", "--help"]

FROM runtime AS stages
# MLRun builds `requirements` on top of this image, as its user.
COPY --from=stages-packages --chown=10001:10001 /opt/venv /opt/venv
COPY --from=project /opt/netops /opt/netops
COPY --from=kernels /opt/kernels /opt/kernels
USER 10001:10001
RUN sh /opt/netops/deploy/image/check.sh
# No entry point: MLRun and Nuclio provide the command of a stage or a function.
CMD ["netops", "--help"]
