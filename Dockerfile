# A server that holds everything it needs: the embedded model, no network, no root.
#   docker build -t anomalyclip . && docker run --rm -p 127.0.0.1:8000:8000 anomalyclip
# For models that need PyTorch, from an index with CPU builds:
#   docker build --build-arg EXTRAS=serve,torch \
#     --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu -t anomalyclip .
FROM python:3.11-slim-bookworm AS build
ARG PIP_EXTRA_INDEX_URL
ARG EXTRAS=serve
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# The compiler of the kernels stays behind in this stage. Any version of it will do.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE NOTICE.md constraints.txt hatch_build.py ./
COPY LICENSES ./LICENSES
COPY src ./src
RUN python -m venv /opt/anomalyclip \
 && /opt/anomalyclip/bin/pip install -c constraints.txt ".[${EXTRAS}]"

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="anomalyclip" \
      org.opencontainers.image.description="Zero-shot visual anomaly detection over HTTP, with a web page" \
      org.opencontainers.image.licenses="MIT AND Apache-2.0"
RUN useradd --system --uid 10001 --create-home --home-dir /home/anomalyclip anomalyclip
COPY --from=build /opt/anomalyclip /opt/anomalyclip
ENV PATH=/opt/anomalyclip/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ANOMALYCLIP_OFFLINE=1
USER 10001
WORKDIR /home/anomalyclip
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["anomalyclip", "serve", "--host", "0.0.0.0"]
