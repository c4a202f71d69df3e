# Builds Crumbgate, then an image that contains only the gateway: no shell, no package manager, not root.
#
#     docker build --tag crumbgate .
#     docker run --publish 443:8443 --publish 80:8080 \
#         --volume "$PWD/crumbgate:/etc/crumbgate:ro" --volume crumbgate-state:/var/lib/crumbgate crumbgate
#
# /etc/crumbgate      config.toml and what it names (certificates and keys, readable for uid 65532); read-only
# /var/lib/crumbgate  the gateway's state, its ledger and the ledger's key: the only folder that it writes to

ARG BUILDER=docker.io/library/rust:1.95-bookworm

FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked --bin crumbgate

# The files of the final image: the binary, the few libraries of glibc that it is linked with, the root certificates for
# upstreams, and a name for the user. Everything else is left out, to keep the attack surface small.
WORKDIR /image
RUN set -eu; \
    install -D --target-directory=usr/bin /src/target/dist/crumbgate; \
    ldd usr/bin/crumbgate | grep -o '/[^ ]*' | while read -r library; do \
        install -D "$library" ".$library"; \
    done; \
    install -D --mode=644 /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ca-certificates.crt; \
    echo 'crumbgate:x:65532:65532::/var/lib/crumbgate:/nonexistent' > etc/passwd; \
    echo 'crumbgate:x:65532:' > etc/group; \
    mkdir -p etc/crumbgate; \
    install -d --owner=65532 --group=65532 --mode=750 var/lib/crumbgate

FROM scratch
COPY --from=build /image /
USER 65532:65532
WORKDIR /var/lib/crumbgate
VOLUME ["/var/lib/crumbgate"]
# The folder of the configuration is read-only: the ledger is on the volume.
ENV CRUMBGATE_STATE__PATH=/var/lib/crumbgate/crumbgate.db
EXPOSE 8443 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
    CMD ["/usr/bin/crumbgate", "health", "--config", "/etc/crumbgate/config.toml"]
ENTRYPOINT ["/usr/bin/crumbgate"]
CMD ["run", "--config", "/etc/crumbgate/config.toml"]
