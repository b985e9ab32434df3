#!/usr/bin/env bash
# What `cmake --install` puts where, and that programs can be built against it: the example gateway by
# pkg-config and by CMake, shared and static, in C and in C++; only what kindred.h declares is visible.
#   KIN_BUILD_DIR   the build that is installed; without it, or where it is not built, the test is skipped
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib_cluster.sh"
command -v cmake >/dev/null && command -v pkg-config >/dev/null && [ "${KIN_BUILD_DIR-}" ] || exit 77
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$KIN_BUILD_DIR/CMakeCache.txt")
sanitize=$(sed -n 's/^KIN_SANITIZE:[A-Z]*=//p' "$KIN_BUILD_DIR/CMakeCache.txt")
flags=(${sanitize:+-fsanitize=$sanitize})
cd "$scratch" || exit 1

# ---- what is installed ----

cmake --install "$KIN_BUILD_DIR" --prefix "$scratch/usr" >install.log 2>&1 ||
    { fail "cmake --install: $(tail -n 3 install.log)"; finish test_install; }
mv usr moved # nothing may remember where it was put
prefix=$scratch/moved
libdir=$(dirname "$(find "$prefix" -name libkindred.a)")
for file in bin/kindred bin/kindred-coordinator bin/kindred-worker include/kindred.h \
    "${libdir#"$prefix"/}"/{libkindred.so,libkindred.so.0,libkindred.a,pkgconfig/kindred.pc} \
    "${libdir#"$prefix"/}"/cmake/kindred/kindred-{config,config-version,targets}.cmake \
    share/doc/kindred/{README.md,docs/libkindred.md,examples/gateway/gateway.c}; do
    [ -e "$prefix/$file" ] || fail "$file is not installed"
done
grep -rqF "$scratch/usr" "$libdir/pkgconfig" "$libdir/cmake" && fail "files name the place of installation"
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir

# ---- what is visible ----

sed -n 's/^KINDRED_API .*\(kindred_[a-z_]*\)(.*/\1/p' "$prefix/include/kindred.h" >declared
sed -n '/define KINDRED_CALLS/,/[^\\]$/s/.*X(\([a-z]*\)).*/kindred_\1\nkindred_\1_wait/p' \
    "$prefix/include/kindred.h" >>declared
sort -u -o declared declared
names() { sed -n 's/.* [TDBRVW] \([^@]*\).*/\1/p' | sort -u; }
nm -D --defined-only "$libdir/libkindred.so" | names >exported
[ "$(wc -l <declared)" -ge 20 ] || fail "the header declares $(wc -l <declared) functions"
if [ -z "$sanitize" ]; then # sanitizers add names of their own
    cmp -s declared exported || fail "libkindred.so shows other names: $(diff declared exported | head -n 5)"
    nm -g --defined-only "$libdir/libkindred.a" | names >archived
    cmp -s declared archived || fail "libkindred.a shows other names: $(diff declared archived | head -n 5)"
fi

# ---- programs ----

for language in c c++; do
    printf '#include <kindred.h>\nint main(void)\n{\n    struct kindred_options o = {};\n    (void)o;\n%s\n}\n' \
        '    return kindred_version()[0] == 0 || kindred_status_text(KINDRED_BUSY)[0] == 0;' >"one.$language"
done
sed -i 's/= {}/= {0}/' one.c
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || continue
    # shellcheck disable=SC2046
    "$compiler" -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror one.c -o one.out \
        $(pkg-config --cflags --libs kindred) 2>said || fail "$compiler, C11: $(head -n 5 said)"
    [ "$sanitize" ] || ./one.out || fail "$compiler: the program does not run"
    "$compiler" -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
        -I"$prefix/include" one.c++ 2>said || fail "$compiler, C++: $(head -n 5 said)"
done
example=$prefix/share/doc/kindred/examples/gateway
make -s -C "$example" CC="$cc" CFLAGS="-O1 -Wall -Wextra -Werror ${flags[*]}" >said 2>&1 ||
    fail "make: $(head -n 5 said)"
# shellcheck disable=SC2046
"$cc" -std=c11 "${flags[@]}" "$example/gateway.c" -o gateway_static "$libdir/libkindred.a" -pthread \
    $(pkg-config --cflags kindred) $(pkg-config --static --libs-only-l kindred | sed 's/-lkindred//') 2>said ||
    fail "the static library: $(head -n 5 said)"
cmake -S "$example" -B by_cmake -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_C_FLAGS="${flags[*]}" >said 2>&1 && cmake --build by_cmake >>said 2>&1 ||
    fail "find_package(kindred): $(tail -n 5 said)"
gateways=("$example/gateway" "$scratch/gateway_static" "$scratch/by_cmake/gateway")

# ---- and a coordinator ----

printf 'a secret of this test alone\n' >secret
chmod 600 secret
url=unix://$scratch/socket
is_listening() { grep -q net_listening coordinator.log; }
coordinator_program=$prefix/bin/kindred-coordinator
start_coordinator
wait_for 30 is_listening || fail "the installed coordinator does not listen"
for gateway in "${gateways[@]}"; do
    timeout 20 "$gateway" >said 2>&1 </dev/null
    [ $? = 2 ] || fail "$gateway: no usage: $(head -n 3 said)"
    timeout 20 "$gateway" "$url" "$scratch/secret" >said 2>&1 </dev/null || fail "$gateway: $(head -n 3 said)"
    printf 'a secret of somebody else\n' >other
    timeout 20 "$gateway" "$url" other </dev/null >said 2>&1 && fail "$gateway: got in with another secret"
    grep -q 'another secret' said || fail "$gateway: does not say why: $(head -n 3 said)"
done
# nothing is served here: an error, or a time-out, on a line of its own
printf '{"first_name":"Ann"}\n' | timeout 60 "${gateways[0]}" "$url" secret >said 2>errors &&
    fail "an answer from a coordinator that serves nothing: $(cat said)"
[ "$(wc -l <errors)" = 1 ] && grep -qE '^(no answer in time|not found): ' errors ||
    fail "nothing is served, and the gateway says: $(head -n 3 errors)"
stop_gently coordinator

# ---- and one that serves ----

cp "$here/../bench/people.yaml" .
generate "$scratch" 2000 1
"$prefix/bin/kindred" serve people.yaml --data live --listen "unix://$scratch/rpc" >serve.out 2>serve.log &
server=$!
serves() { grep -q '^listening rpc=' serve.out; }
wait_for 120 serves || fail "kindred serve: $(tail -n 3 serve.log)"
for i in $(seq 1000); do
    printf '{"first_name":"Ann","last_name":"Lee%d","email":"ann%d@example.org"}\n' "$i" "$i"
done >ask.jsonl
for gateway in "${gateways[@]}"; do
    timeout 60 "$gateway" "unix://$scratch/rpc" <ask.jsonl >"said" 2>errors || fail "$gateway: $(head -n 3 errors)"
    [ "$(grep -c '"match_id":' said)" = 1000 ] || fail "$gateway: $(wc -l <said) answers"
    [ -e first ] || cp said first
    cmp -s first said || fail "$gateway: other answers, or in another order"
done
kill -TERM "$server"
wait "$server" || fail "kindred serve ended with $?"
finish test_install
