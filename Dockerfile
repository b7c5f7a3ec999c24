# One image for every role: `balance migrate`, `balance api`, `balance worker`, `balance serve` …
FROM rust:1.95-slim-bookworm AS build
# SQLite is compiled from its source, and so needs a C compiler.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# The dependencies first, on empty crates: a change of ours does not build them again.
COPY Cargo.toml Cargo.lock ./
COPY core/Cargo.toml core/
COPY api/Cargo.toml api/
COPY worker/Cargo.toml worker/
COPY cli/Cargo.toml cli/
RUN for crate in core api worker; do mkdir -p $crate/src && touch $crate/src/lib.rs; done \
    && mkdir -p cli/src worker/benches && echo 'fn main() {}' | tee cli/src/main.rs worker/benches/settle.rs >/dev/null \
    && cargo build --release --locked --package balance-cli \
    && rm -rf core/src api/src worker/src cli/src
COPY . .
# Newer than what was built of the empty crates.
RUN find core api worker cli -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --package balance-cli

FROM debian:bookworm-slim
# For the health check of the API, and for whoever looks into a container.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/balance balance
COPY --from=build /build/target/release/balance /usr/local/bin/balance
USER 10001:10001
WORKDIR /var/lib/balance
# Within the container; what the world sees of it is the container's affair.
ENV LISTEN_ADDR=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# The API answers, or else a worker of this machine is alive.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD curl --fail --silent --output /dev/null http://127.0.0.1:8080/health/ready || balance workers --here
ENTRYPOINT ["balance"]
CMD ["serve"]
