# One image for every role: `balance migrate`, `balance api`, `balance worker`, `balance serve`.
FROM rust:1.95-slim-bookworm AS build
# SQLite is compiled from source and needs a C compiler.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# Dependencies are built first, with empty crates: a change in our sources does not rebuild them.
COPY Cargo.toml Cargo.lock ./
COPY core/domain/Cargo.toml core/domain/
COPY core/batch/Cargo.toml core/batch/
COPY core/store/Cargo.toml core/store/
COPY core/service/Cargo.toml core/service/
COPY core/redis/Cargo.toml core/redis/
COPY worker/Cargo.toml worker/
COPY api/Cargo.toml api/
COPY cli/Cargo.toml cli/
COPY test-support/Cargo.toml test-support/
RUN for crate in core/* worker api test-support; do mkdir -p $crate/src && touch $crate/src/lib.rs; done \
    && mkdir -p cli/src worker/benches && echo 'fn main() {}' | tee cli/src/main.rs worker/benches/settle.rs >/dev/null \
    && cargo build --release --locked --package balance \
    && rm -rf core/*/src worker/src api/src test-support/src cli/src
COPY . .
# Makes the sources newer than the artifacts of the empty crates.
RUN find core worker api cli -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --package balance

FROM debian:bookworm-slim
# curl runs the health check of the API and helps to inspect a container.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home --home-dir /var/lib/balance --shell /usr/sbin/nologin balance
COPY --from=build /build/target/release/balance /usr/local/bin/balance
USER 10001:10001
WORKDIR /var/lib/balance
# The address inside the container. The published ports decide who can reach it.
ENV LISTEN_ADDR=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# Healthy if the API is ready or a worker of this machine is alive.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD curl --fail --silent --output /dev/null http://127.0.0.1:8080/health/ready || balance workers --here
ENTRYPOINT ["balance"]
CMD ["serve"]
