# elman with a run served over HTTP:
#   docker build -t elman --build-arg TORCH_INDEX=URL .
#   docker run --rm -p 127.0.0.1:8451:8451 -e ELMAN_TOKEN -v "$PWD/runs/sentiment:/model:ro" elman
# docs/container.md says what can be chosen.

FROM python:3.13-slim AS build
# where the builds of torch for CPUs are: those of the usual index bring gigabytes of CUDA
ARG TORCH_INDEX
ARG EXTRAS=cli,train,text,web
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/elman \
    && /opt/elman/bin/pip install --no-cache-dir --index-url "${TORCH_INDEX:?name the index of CPU builds of torch}" \
       "torch>=2.10"
WORKDIR /source
COPY pyproject.toml CMakeLists.txt README.md LICENSE ./
COPY src src
# what only builds against torch, its tests and this installation need goes
RUN /opt/elman/bin/pip install --no-cache-dir ".[$EXTRAS]" \
    && /opt/elman/bin/python -c "from elman.kernels.cpu import library; library.library()" \
    && torch=/opt/elman/lib/python3.13/site-packages/torch \
    && rm -rf "$torch/include" "$torch/share" "$torch/test" \
    && find "$torch/bin" -type f ! -name torch_shm_manager -delete \
    && /opt/elman/bin/pip uninstall --yes pip

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home elman
COPY --from=build /opt/elman /opt/elman
ENV PATH=/opt/elman/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/elman
EXPOSE 8451
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8451/healthz', timeout=4)"]
ENTRYPOINT ["elman"]
CMD ["serve", "/model", "--host", "0.0.0.0", "--port", "8451"]
