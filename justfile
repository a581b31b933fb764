# Shortcuts; every line is a plain command that works without `just` too.

postgres := env("LEADYARD_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")

# What there is.
default:
    @just --list

# Build the binary.
build:
    cargo build --release

# Every test, on SQLite; on PostgreSQL too where LEADYARD_TEST_POSTGRES is set.
test:
    cargo test --workspace

# Every test on both databases: needs a PostgreSQL that lets `postgres` in.
test-postgres:
    LEADYARD_TEST_POSTGRES={{postgres}} cargo test --workspace

# The law of the house alone: seconds.
tidy:
    cargo test -p leadyard-tests --test tidy

lint:
    cargo clippy --workspace --all-targets --all-features -- -D warnings

fmt:
    cargo fmt --all

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# What may be linked where, from where, under which licence (cargo install --locked cargo-deny).
deny:
    cargo deny --offline check -A unused-wrapper bans licenses sources

# Known vulnerabilities: fetches the advisory database.
advisories:
    cargo deny check advisories

# Write schema.graphql anew.
schema:
    cargo run --quiet -- schema > target/schema.graphql
    mv target/schema.graphql schema.graphql

# Keep schema.graphql as what this version promised: from now on nothing of it breaks.
release-schema:
    cp schema.graphql "api/releases/schema-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1).graphql"

# Write openapi.json anew.
openapi:
    cargo run --quiet -- openapi > target/openapi.json
    mv target/openapi.json openapi.json

# Add finished migrations to the frozen ones.
freeze:
    #!/usr/bin/env bash
    set -euo pipefail
    find migration/src -type f ! -path migration/src/lib.rs | LC_ALL=C sort | while read -r file; do
      grep -qF "  $file" migration/checksums.txt || sha256sum "$file" | tee -a migration/checksums.txt
    done

# A market with seeded traffic, in a database of its own.
demo *options:
    cargo run --release -- demo {{options}}

bench *options:
    cargo run --release -- bench {{options}}

# Everything a change must pass.
ci:
    bash .ci/run
