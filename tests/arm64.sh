#!/usr/bin/env bash
# Builds everything for arm64 and runs its tests under qemu-user: tests/arm64.sh [CTEST-OPTION...]
#
# On Debian 12 for another processor; options are as ctest has them, such as -R imaging. If missing,
# a cross compiler, qemu-user and what samples/install-deps.sh lists are installed from the machine's
# own package sources. The arm64 libraries are not: their packages are fetched from the same sources
# and unpacked into a folder of their own. Once all is there, no network is needed.
#
# ARM64_SYSROOT names that folder (default: thumbpool/arm64 in the user's cache; 500 MB).
set -eu
unset CDPATH # it would lead cd elsewhere
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=${ARM64_SYSROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/thumbpool/arm64}

# Installed on this machine: a package, the programs that show that it is there, and why.
tools='
gcc-aarch64-linux-gnu  aarch64-linux-gnu-gcc             the cross compiler
qemu-user              qemu-aarch64|qemu-aarch64-static  runs what it makes
'
# Unpacked into the folder, with all that they depend on: samples/install-deps.sh says what for.
libraries='libc6-dev libjpeg-dev libpng-dev libdeflate-dev liblcms2-dev libvips-dev libseccomp-dev
    nettle-dev libuv1-dev libcurl4-openssl-dev libcmocka-dev'

# Left out: programs of tests, as ctest names them, and why.
programs='
model_dispatch             the same for every machine
install_pkgconfig          compiles with what this machine has
test_thumbpool             runs confined workers; qemu-user has neither seccomp nor Landlock
test_thumbpool_bombs       likewise
test_thumbpool_failures    likewise
test_thumbpool_faults      likewise
test_thumbpool_one         likewise
test_thumbpool_names       likewise
test_thumbpool_prune       likewise
test_thumbpool_reruns      likewise
test_thumbpool_siege       likewise
test_app_sandbox           likewise
test_pool_event            shares memory; qemu-user has no robust futexes, without which it is refused
test_pool_ipc_broken       likewise
test_pool_ipc_kills        likewise, and traces processes, which qemu-user cannot
test_pool_ipc_kills_locks  likewise
test_pool_ipc_queue        shares memory
test_pool_ipc_queue_users  likewise
test_pool_ipc_share        likewise
test_pool_ipc_siege        likewise
test_pool_lock             likewise
test_pool_semaphore        likewise
test_pool_shared           likewise
ipc_bench_quick            likewise
test_samples_process       has samples that share memory
test_pool_memory           measures workers, and would measure qemu-user
'

# Left out: single tests of other programs. A forked child knows itself by MADV_WIPEONFORK, of which
# qemu-user says that it worked, and does nothing.
tests='
kinds_never_share_a_worker      runs confined workers
turns_need_few_descriptors      likewise
the_same_comes_out_in_one_lane  likewise
a_forked_child_can_neither_use_nor_harm_its_parents_pool                          forks; see above
a_forked_child_can_neither_use_nor_harm_its_parents_processes                     likewise
a_forked_child_needs_a_connection_of_its_own                                      likewise
a_fork_in_the_middle_of_another_threads_call_hangs_nobody                         likewise
scenario_10_a_forked_child_has_a_dead_handle_and_harms_nobody_with_processes      likewise
scenario_10_a_forked_child_has_a_dead_handle_and_harms_nobody_with_threads        likewise
scenario_10_a_forked_child_may_open_its_own_pool_with_processes                   likewise
scenario_10_a_forked_child_may_open_its_own_pool_with_threads                     likewise
a_flood_of_descriptors_is_no_shortage_of_the_hosts  qemu-user keeps descriptors it could not pass on
a_program_that_is_no_worker_is_refused              posix_spawn does not say that it failed
scenario_15_a_task_that_ends_its_process_fails_alone_and_says_how  RLIMIT_AS does nothing here
a_worker_that_breaks_the_protocol_is_replaced       hangs here; why is not known
a_server_ends_when_its_maker_does                   fails here; why is not known
scenario_16_a_hundred_opens_and_closes_leave_nothing_behind_with_threads    measures memory
scenario_16_a_hundred_opens_and_closes_leave_nothing_behind_with_processes  likewise
'

# Left out as well where the kernel does not start arm64 programs: what starts some. Worker
# processes begin as such a start.
starters='
pool_bench_quick
pool_scaling_quick
test_app_ledger_runs
test_imaging_decode_vips
test_imaging_limits
test_imaging_prepare
test_pool_backends
test_pool_future
test_pool_inside
test_pool_iter
test_pool_lies
test_pool_manager.*
test_pool_map
test_pool_process.*
test_pool_shortage
test_pool_staff
test_pool_wait
test_pool_watch
test_samples_.*
test_scenario_.*
'

say() {
    echo "tests/arm64.sh: $*"
}

# Prints the first word of each line of a list, with another character between them.
names() {
    awk -v between="$2" 'NF { printf "%s%s", n++ ? between : "", $1 }' <<<"$1"
}

# Prints where the first of some programs is that is there at all.
find_program() {
    local name
    for name; do
        command -v "$name" && return
    done
    return 1
}

install_tools() {
    local package programs _ missing=() as_root=()
    while read -r package programs _; do
        # shellcheck disable=SC2086 # one word each
        [ -z "$package" ] || find_program ${programs//|/ } >/dev/null || missing+=("$package")
    done <<<"$tools"
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "this is not Debian; please install what provides: ${missing[*]}" >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "not root, and there is no sudo; please have these installed: ${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update >>"$log" 2>&1 || true
    # Not what they recommend: qemu would let this machine start arm64 programs everywhere.
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 --no-install-recommends install "${missing[@]}" \
        </dev/null >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "apt could not install: ${missing[*]}" >&2
        exit 1
    fi
}

# apt as on an arm64 machine that has nothing installed, with its notes in the folder $new.
apt_arm64() {
    APT_CONFIG=$new/apt.conf apt-get -q -y "$@" </dev/null >>"$log" 2>&1
}

# No package's scripts are run. Absolute links would lead out of the folder.
unpack() {
    local package link
    for package in "$new"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" |
            tar -x -C "$new/root" --keep-directory-symlink --no-same-owner \
                --exclude='./usr/share/doc' --exclude='./usr/share/locale' --exclude='./dev'
    done
    (
        cd "$new/root"
        find . -path '*/lib/*' -type l -lname '/*' | while read -r link; do
            ln -srfn ".$(readlink "$link")" "$link"
        done
    )
}

make_sysroot() {
    local stamp
    stamp=$(tr -s ' \n' ' ' <<<"$libraries")
    if [ "$(cat "$root/.complete" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    if [ -e "$root" ] && [ ! -e "$root/.complete" ]; then
        say "$root exists, but was not made by this script" >&2
        exit 1
    fi
    if ! command -v apt-get >/dev/null; then
        say "the arm64 libraries come from Debian's packages: apt-get is needed" >&2
        exit 1
    fi
    say "fetching arm64 libraries into $root"
    mkdir -p "$(dirname "$root")"
    new=$(mktemp -d "$root.XXXXXX")
    mkdir -p "$new"/state/lists/partial "$new"/cache/archives/partial "$new/root"
    : >"$new/state/status"
    cat >"$new/apt.conf" <<-END
	APT::Architecture "arm64";
	APT::Architectures { "arm64"; };
	APT::Install-Recommends "false";
	APT::Sandbox::User "$(id -un)";
	Dir::State "$new/state";
	Dir::State::status "$new/state/status";
	Dir::Cache "$new/cache";
	END
    # shellcheck disable=SC2086 # a list
    if ! { apt_arm64 update && apt_arm64 --download-only install $libraries && unpack; }; then
        tail -n 20 "$log" >&2
        say 'the arm64 libraries could not be fetched or unpacked' >&2
        exit 1
    fi
    echo "$stamp" >"$new/root/.complete"
    rm -rf "$root"
    mv "$new/root" "$root"
    rm -rf "$new"
}

# What runs inside, with qemu and the command as arguments. The kernel is told the head of an ELF
# file for arm64, program or library, and of which bits of it count.
# shellcheck disable=SC2016 # it is not to be expanded here
register='
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc &&
    printf ":qemu-aarch64:M::%s:%s:%s:OCF" \
        "\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00" \
        "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff" \
        "$1" >/proc/sys/fs/binfmt_misc/register || exit
shift
exec "$@"
'

# Runs a command where the kernel starts arm64 programs by qemu: in user and mount namespaces of its
# own, whose list of such formats is theirs alone. The command keeps its user; where that is root,
# it keeps all users, as some tests become another one.
with_arm64_programs() {
    local identity=()
    export QEMU_LD_PREFIX=$root
    if [ "$(id -u)" -ne 0 ]; then
        identity=(unshare --user "--map-user=$(id -u)" "--map-group=$(id -g)")
        unshare --user --map-root-user --mount bash -c "$register" bash "$qemu" "${identity[@]}" "$@"
        return
    fi
    # Only from outside can a namespace be given more than one user, and only once it is there.
    mkfifo "$work/gate"
    unshare --user --mount \
        bash -c "read -r _ <\"\$1\"; shift; $register" bash "$work/gate" "$qemu" "$@" &
    child=$!
    while kill -0 "$child" 2>/dev/null &&
        [ "$(readlink "/proc/$child/ns/user")" = "$(readlink /proc/self/ns/user)" ]; do
        sleep 0.05
    done
    if echo '0 0 65536' >"/proc/$child/uid_map" && echo '0 0 65536' >"/proc/$child/gid_map"; then
        echo >"$work/gate"
    else
        kill "$child"
    fi 2>/dev/null
    rm -f "$work/gate"
    local status=0
    wait "$child" || status=$?
    child=
    return "$status"
}

child=
work=$(mktemp -d)
log=$work/log
new=
trap 'rm -rf "$work" ${new:+"$new"}' EXIT
trap '[ -z "$child" ] || kill "$child"; exit 1' INT TERM

samples/install-deps.sh
install_tools
make_sysroot
qemu=$(find_program qemu-aarch64 qemu-aarch64-static)
export THUMBPOOL_ARM64_SYSROOT=$root

if ! { cmake --preset arm64 -DTHUMBPOOL_WERROR=ON "-DTHUMBPOOL_ARM64_SYSROOT=$root" &&
    cmake --build --preset arm64; } >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    say 'the arm64 build failed' >&2
    exit 1
fi

without=$(names "$programs" '|')
with=with_arm64_programs
if ! $with build/arm64/thumbpool --version >"$log" 2>&1; then
    say 'arm64 programs cannot start others here; that takes Linux 6.7 and user namespaces'
    without+="|$(names "$starters" '|')"
    with=
fi
TEST_LEAVE_OUT=$(names "$tests" ' ')
export TEST_LEAVE_OUT
say "left out, for the reasons given in this script: ${without//|/ } $TEST_LEAVE_OUT"
$with ctest --preset arm64 --parallel "$(nproc)" --exclude-regex "^($without)\$" "$@"
