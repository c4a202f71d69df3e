# What bench/run and bench/gate share; to be sourced in the repository's folder.
# shellcheck shell=bash
# shellcheck source=scripts/common.sh
source scripts/common.sh

# Installs what is missing and builds; sets `crumbgate` to the gateway's program.
prepare() {
    local packages lua=/usr/lib/nginx/modules/ngx_http_lua_module.so njs=/usr/lib/nginx/modules/ngx_http_js_module.so
    mapfile -t packages < <(packages_without_program << 'END'
haproxy  haproxy
nginx    nginx
wrk      wrk
h2load   nghttp2-client
perf     linux-perf
taskset  util-linux
valgrind valgrind
END
    )
    [[ -e $lua ]] || packages+=(libnginx-mod-http-lua)
    [[ -e $njs ]] || packages+=(libnginx-mod-http-js)
    install_packages "${packages[@]}"
    # shellcheck disable=SC2034 # the scripts that source this one use it
    crumbgate=${CRUMBGATE_BINARY:-target/dist/crumbgate}
    # What measures the pure parts is built as the gateway is: instructions are counted of what is shipped.
    local programs=(--bin crumbgate-bench --bin pure --bin allocations)
    [[ -n ${CRUMBGATE_BINARY:-} ]] || programs+=(--bin crumbgate)
    quietly "Building the gateway, and what measures it" \
        cargo build --profile dist --locked --workspace --features crumbgate-bench/gateway "${programs[@]}"
}
