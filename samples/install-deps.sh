#!/usr/bin/env bash
# Installs what building and testing thumbpool needs and this machine lacks.
#
# On Debian and Ubuntu, as root or with sudo. If everything is there, apt is not even asked, so a
# machine without network still builds. On other systems it says what is needed.
set -eu

# The one list: a package, others that serve as well if they are installed, and why it is needed.
packages='
gcc                                               the compiler
libc6-dev                                         its C library
cmake                                             the build, 3.25 or newer
ninja-build                                       runs it
pkg-config|pkgconf                                finds the libraries below
libjpeg-dev|libjpeg62-turbo-dev|libjpeg-turbo8-dev  libjpeg-turbo: JPEG
libpng-dev                                        PNG
libdeflate-dev                                    checksums and compression of PNG
liblcms2-dev                                      colour profiles
libvips-dev                                       all other formats
libseccomp-dev                                    confines the workers
nettle-dev                                        fingerprints of names and settings
libuv1-dev                                        the sample of an event loop
libcurl4-openssl-dev|libcurl4-gnutls-dev|libcurl4-nss-dev  the sample that fetches web pages
libcmocka-dev                                     the tests
spin                                              checks the model of how host and workers talk
'
tools='gcc cmake ninja pkg-config spin'                   # the same for systems without these packages
modules='libjpeg libpng libdeflate lcms2 vips libseccomp nettle libuv libcurl cmocka'  # as pkg-config calls them

say() {
    echo "install-deps: $*"
}

is_installed() {
    local status
    status=$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) && [ "$status" = installed ]
}

# Prints the packages of the list of which neither they nor a substitute are installed.
missing_packages() {
    local names name alternatives
    while read -r names _; do
        [ -n "$names" ] || continue
        IFS='|' read -ra alternatives <<<"$names"
        for name in "${alternatives[@]}"; do
            is_installed "$name" && continue 2
        done
        echo "${alternatives[0]}"
    done <<<"$packages"
}

# Prints the tools and libraries that cannot be found, whatever they were installed by.
missing_tools() {
    local name
    for name in $tools; do
        command -v "$name" >/dev/null || echo "$name"
    done
    for name in $modules; do
        pkg-config --exists "$name" 2>/dev/null || echo "$name"
    done
}

check_cmake() {
    local version
    version=$(cmake --version | awk 'NR == 1 { print $3 }')
    if [ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" != 3.25 ]; then
        say "cmake is version $version; 3.25 or newer is needed" >&2
        exit 1
    fi
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    mapfile -t missing < <(missing_tools)
    if [ ${#missing[@]} -gt 0 ]; then
        say "this is neither Debian nor Ubuntu; please install what provides: ${missing[*]}" >&2
        say 'on Debian the packages are:' >&2
        printf '%s\n' "$packages" >&2
        exit 1
    fi
    check_cmake
    say 'everything is there already'
    exit 0
fi

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -eq 0 ]; then
    check_cmake
    say 'everything is there already'
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        say "not root, and there is no sudo; please have these installed: ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
}

say "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt update || true # one broken source need not matter: the installation decides
if ! apt install --no-install-recommends "${missing[@]}"; then
    tail -n 20 "$log" >&2
    say "apt could not install: ${missing[*]}" >&2
    exit 1
fi
check_cmake
say 'done'
